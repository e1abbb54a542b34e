"""EASE: a closed-form linear item-to-item model."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models.scorer import CatalogueScorer
from recpair.models.sparse.item_weights import ItemToItemModel


@dataclass(frozen=True)
class LinearScorer(CatalogueScorer):
    """score(q, i) = Σ_j B[j, i] over the items j of q's history."""

    histories: ItemLists
    weights: Float[Tensor, "I I"]

    def catalogue(self) -> Float[Tensor, "Q I"]:
        device = self.weights.device
        items, starts = (
            torch.from_numpy(part.astype(np.int64)).to(device) for part in (self.histories.items, self.histories.indptr)
        )
        return torch.nn.functional.embedding_bag(items, self.weights, starts, mode="sum", include_last_offset=True)


class EASE(ItemToItemModel):
    """Item–item weights B with zero diagonal that minimise ‖X − XB‖² + λ‖B‖².

    B = 1 − P·diag(P)⁻¹ off the diagonal, P = (XᵀX + λ·1)⁻¹. Source: Steck, WWW 2019, equation 8. Memory: two float32
    matrices of items × items during the fit (13 GiB for 41,000 items), one afterwards. With a different number of
    threads, weights agree to six digits: LAPACK sums in a different order.
    """

    weights: Tensor

    def __init__(self, interactions: Interactions, *, ridge: Annotated[float, Field(gt=0)] = 250.0) -> None:
        super().__init__(interactions)
        self.ridge = ridge
        self.register_buffer("weights", torch.zeros(interactions.n_items, interactions.n_items))

    def fit(self, interactions: Interactions) -> None:
        taken = interactions.to_scipy()
        gram = np.asarray((taken.T @ taken).todense(order="F"), dtype=np.float32)
        diagonal = np.diag_indices_from(gram)
        gram[diagonal] += self.ridge
        factor, failed = scipy.linalg.lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
        inverse, also_failed = scipy.linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
        assert failed == 0 == also_failed, "a Gram matrix with a positive ridge has a Cholesky factor"
        scale = -1.0 / np.diag(inverse)
        weights = self.weights.numpy()
        for row in range(len(scale)):  # the lower triangle of the inverse holds both halves
            weights[row, : row + 1] = inverse[row, : row + 1]
            weights[row, row + 1 :] = inverse[row + 1 :, row]
        weights *= scale
        weights[diagonal] = 0.0

    def scorer(self, histories: ItemLists) -> LinearScorer:
        """Return the scorer of histories."""
        return LinearScorer(histories, self.weights)

"""SANSA: EASE by a sparse approximate inverse, for large catalogues."""

from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import TrainingError
from recpair.models.scorer import CatalogueScorer
from recpair.models.sparse import kernels
from recpair.models.sparse.gram import gram
from recpair.models.sparse.item_weights import ItemToItemModel, SparseScorer
from recpair.models.sparse.matrix import SparseMatrix

FEWEST = 30  # entries of a row of the factor that are always allowed


@dataclass(frozen=True)
class FactorScorer(CatalogueScorer):
    """scores = r + (r Wᵀ) S for a history r and the sparse factors Wᵀ and S = −D⁻¹W diag(P)⁻¹ (I, I)."""

    first: SparseScorer
    second: tuple[np.ndarray, np.ndarray, np.ndarray]

    def catalogue(self) -> Float[Tensor, "Q I"]:
        histories, inner = self.first.histories, self.first.catalogue().numpy()
        out = np.zeros_like(inner)
        kernels.add_weighted_rows(inner, *self.second, out)
        out[np.repeat(np.arange(len(histories)), np.diff(histories.indptr)), histories.items] += 1
        return torch.from_numpy(out)


class SANSA(ItemToItemModel):
    """EASE with a sparse factor of P = (RᵀR + λ·1)⁻¹ ≈ WᵀD⁻¹W: score(u, ·) = r_u (1 − P diag(P)⁻¹).

    r_u (I,) is the user's row of the binary matrix R. W (I, I) is unit lower triangular with the items in order of
    popularity, the most popular first: row i regresses item i on earlier items, with ridge λ, and D holds the residual
    sums of squares. With all earlier items (density 1) this is the inverse of the LDLᵀ factorisation, and the scores are
    those of EASE. A row with more than n = max(30, density · I) earlier items keeps the n with the
    largest a_ij² / a_jj, A = RᵀR + λ·1, among those with a_ij ≠ 0.

    Memory: 8 bytes for each pair of items with a common user during the fit, at most 16 · n · I bytes for the model, and
    8 · n² for each thread. Time: O(n³) for each item. P is never formed.

    Source: Spišák et al., Scalable Approximate NonSymmetric Autoencoder for Collaborative Filtering, RecSys 2023. Deviations:
    the paper factorises A into LDLᵀ, drops small entries of L and approximates L⁻¹ iteratively, in a fill-reducing order;
    here the rows of L⁻¹ are least-squares solutions on a given pattern (Kolotilina & Yeremin, SIAM J. Matrix Anal. Appl.
    1993), which needs no factorisation.

    Args:
        ridge: λ.
        density: maximum share of the items in a row of W.

    Raises:
        TrainingError: RᵀR may have more than 2²⁹ entries (4 GiB), or the ridge is too small for 64 bits.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        ridge: Annotated[float, Field(gt=0)] = 100.0,
        density: Annotated[float, Field(gt=0, le=1)] = 0.001,
    ) -> None:
        super().__init__(interactions)
        self.ridge, self.density = ridge, density
        n_items = interactions.n_items
        self.first, self.second = SparseMatrix(n_items, n_items), SparseMatrix(n_items, n_items)

    def fit(self, interactions: Interactions) -> None:
        users: Any = interactions.to_scipy()
        n_items = interactions.n_items
        counts = np.bincount(users.indices, minlength=n_items)
        order = np.argsort(-counts, kind="stable")
        pairs = gram(users[:, order], "sansa")
        size = n_items, min(max(FEWEST, ceil(self.density * n_items)), n_items)
        found, factor = np.empty(size, np.int32), np.empty(size)
        kept, variances = np.empty(n_items, np.int64), np.empty(n_items)
        diagonal = counts[order] + self.ridge
        kernels.inverse_factor(pairs.indptr, pairs.indices, pairs.data, diagonal, found, factor, kept, variances)
        if not (np.isfinite(variances).all() and (variances > 0).all()):
            raise TrainingError(
                f"model sansa: the equations of an item are singular; raise model.ridge ({self.ridge:g})"
            )
        entries = np.arange(size[1]) < kept[:, None]
        indptr = np.concatenate([[0], np.cumsum(kept)])
        w: Any = sp.csr_array((factor[entries], order[found[entries]], indptr), shape=(n_items, n_items))
        w = w + sp.csr_array((np.ones(n_items), order, np.arange(n_items + 1)), shape=(n_items, n_items))
        scaled = sp.diags_array(1.0 / variances) @ w
        diagonal_of_p = np.asarray((w * scaled).sum(0))
        self.first.assign(w.T)
        self.second.assign(scaled @ sp.diags_array(-1.0 / diagonal_of_p))

    def scorer(self, histories: ItemLists) -> FactorScorer:
        """Return the scorer of histories."""
        return FactorScorer(SparseScorer(histories, self.first.arrays()), self.second.arrays())

"""iALS: implicit matrix factorisation by alternating least squares."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import TrainingError
from recpair.models import kernels
from recpair.models.blas import gram
from recpair.models.contract import FittedModel
from recpair.models.scorer import Vectors
from recpair.seeds import generator


class IALS(FittedModel):
    """Vectors that minimise Σ_seen (1 + w·r)(1 − ⟨u, i⟩)² + Σ_unseen ⟨u, i⟩² + λ(‖U‖² + ‖I‖²).

    Source: Hu et al., ICDM 2008, with confidence 1 + w·r for an event of weight r (1 unless the data has weights).
    Users and items are updated alternately; each half-step is exact.
    """

    weighs_events = True

    def __init__(
        self,
        interactions: Interactions,
        *,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        weight: Annotated[float, Field(gt=0)] = 10.0,
        ridge: Annotated[float, Field(gt=0)] = 10.0,
        iterations: Annotated[int, Field(gt=0)] = 15,
    ) -> None:
        super().__init__()
        self.weight, self.ridge, self.iterations = weight, ridge, iterations
        self.user_vectors = nn.Parameter(torch.zeros(interactions.n_users, embedding_dim), requires_grad=False)
        start = torch.randn(interactions.n_items, embedding_dim, generator=generator()) / embedding_dim**0.5
        self.item_vectors = nn.Parameter(start, requires_grad=False)

    def fit(self, interactions: Interactions) -> None:
        users = interactions.to_scipy()
        users.data = interactions.weights_in(users)
        items = users.T.tocsr()
        user_vectors, item_vectors = self.user_vectors.numpy(), self.item_vectors.numpy()
        for _ in range(self.iterations):
            self._half_step(users.indptr, users.indices, users.data, item_vectors, user_vectors)
            self._half_step(items.indptr, items.indices, items.data, user_vectors, item_vectors)
        self._half_step(users.indptr, users.indices, users.data, item_vectors, user_vectors)

    def _half_step(
        self, indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, fixed: np.ndarray, out: np.ndarray
    ) -> None:
        weight, ridge = np.float32(self.weight), np.float32(self.ridge)
        try:
            kernels.least_squares(indptr, indices, weights, fixed, gram(fixed), weight, ridge, out)
        except (SystemError, np.linalg.LinAlgError):  # Numba reports errors in parallel loops as SystemError
            raise TrainingError(
                f"model ials: the system of equations of a user or an item is singular in single precision; lower "
                f"model.weight ({self.weight:g}) or raise model.ridge ({self.ridge:g})"
            ) from None

    def score(self, batch: Batch) -> Vectors:
        return Vectors(queries=self.user_vectors[batch.user], items=self.item_vectors)

    def fold_in(self, histories: Sequence[np.ndarray]) -> Vectors:
        """Solve the exact half-step for the given items, each of weight 1."""
        given = ItemLists.of_lists(histories)
        out = np.zeros((len(histories), self.item_vectors.shape[1]), dtype=np.float32)
        self._half_step(
            given.indptr, given.items, np.ones(len(given.items), np.float32), self.item_vectors.numpy(), out
        )
        return Vectors(queries=torch.from_numpy(out), items=self.item_vectors)

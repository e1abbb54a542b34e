"""iALS: implicit matrix factorisation by alternating least squares."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
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
from recpair.models.sparse.graph import Lists
from recpair.seeds import generator

Solver = Literal["cg", "exact"]
STEPS = 3  # of conjugate gradients in a half-step


class IALS(FittedModel):
    """Vectors that minimise Σ_seen (1 + w·r)(1 − ⟨u, i⟩)² + Σ_unseen ⟨u, i⟩² + λ(‖U‖² + ‖I‖²).

    Source: Hu et al., ICDM 2008, with confidence 1 + w·r for an event of weight r (1 unless the data has weights).
    Users and items are updated alternately, ``iterations`` times, and the users once more.

    Args:
        embedding_dim: D, length of the vectors.
        weight: w.
        ridge: λ.
        iterations: number of alternations.
        solver: of a half-step: three steps of conjugate gradients from the previous vectors (cg; Takács et al., RecSys
            2011), at a cost of O(D²) for each user or item and O(D) for each event; or the solution of each system of
            equations (exact), O(D³) and O(D²). The last half-step and unknown users are exact in both cases.
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
        solver: Solver = "cg",
    ) -> None:
        super().__init__()
        self.solver = solver
        self.weight, self.ridge, self.iterations = weight, ridge, iterations
        self.user_vectors = nn.Parameter(torch.zeros(interactions.n_users, embedding_dim), requires_grad=False)
        start = torch.randn(interactions.n_items, embedding_dim, generator=generator()) / embedding_dim**0.5
        self.item_vectors = nn.Parameter(start, requires_grad=False)
        self._gram: tuple[tuple[int, int], np.ndarray] | None = None

    def fit(self, interactions: Interactions) -> None:
        self._gram = None  # vectors are written through NumPy, which leaves their version
        users = interactions.to_scipy()
        users.data = interactions.weights_in(users)
        items = users.T.tocsr()
        user_vectors, item_vectors = self.user_vectors.numpy(), self.item_vectors.numpy()
        sides = (users, item_vectors, user_vectors), (items, user_vectors, item_vectors)
        for side in sides * self.iterations:
            self._half_step(*side) if self.solver == "exact" else self._improve(*side)
        self._half_step(*sides[0])
        if not (np.isfinite(user_vectors).all() and np.isfinite(item_vectors).all()):
            raise self._singular()

    def _half_step(self, matrix: sp.csr_matrix, fixed: np.ndarray, out: np.ndarray) -> None:
        weight, ridge = np.float32(self.weight), np.float32(self.ridge)
        try:
            kernels.least_squares(matrix.indptr, matrix.indices, matrix.data, fixed, gram(fixed), weight, ridge, out)
        except (SystemError, np.linalg.LinAlgError):  # Numba reports errors in parallel loops as SystemError
            raise self._singular() from None

    def _improve(self, matrix: sp.csr_matrix, fixed: np.ndarray, out: np.ndarray) -> None:
        weight, ridge = np.float32(self.weight), np.float32(self.ridge)
        lists = Lists.of(matrix.indptr, matrix.indices)
        kernels.approximate_least_squares(
            lists.indptr, lists.indices, matrix.data, fixed, gram(fixed), weight, ridge, STEPS, lists.bounds, out
        )

    def _singular(self) -> TrainingError:
        return TrainingError(
            f"model ials: the system of equations of a user or an item is singular in single precision; lower "
            f"model.weight ({self.weight:g}) or raise model.ridge ({self.ridge:g})"
        )

    def score(self, batch: Batch) -> Vectors:
        return Vectors(queries=self.user_vectors[batch.user], items=self.item_vectors)

    def fold_in(self, histories: Sequence[np.ndarray]) -> Vectors:
        """Solve the exact half-step for the given items, each of weight 1."""
        given = ItemLists.of_lists(histories)
        matrix = sp.csr_matrix((np.ones(len(given.items), np.float32), given.items, given.indptr))
        out = np.zeros((len(histories), self.item_vectors.shape[1]), dtype=np.float32)
        self._half_step(matrix, self.item_vectors.numpy(), out)
        return Vectors(queries=torch.from_numpy(out), items=self.item_vectors)

    def contributions(
        self, history: np.ndarray, items: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ⟨i, A⁻¹ j⟩ (1 + w·r_j) for the items j of the history: Hu et al., section 5; A is that of the user."""
        distinct, place = np.unique(history, return_inverse=True)
        confidence = np.zeros(len(distinct))
        np.maximum.at(confidence, place, 1.0 if weight is None else weight)
        confidence *= self.weight
        vectors = self.item_vectors.detach().cpu().numpy()
        own, theirs = (vectors[index].astype(np.float64) for index in (distinct, items))
        left = self._item_gram(vectors) + own.T @ (confidence[:, None] * own) + self.ridge * np.eye(vectors.shape[1])
        terms = own @ np.linalg.solve(left, theirs.T)
        return distinct, (1 + confidence)[:, None] * terms

    def _item_gram(self, vectors: np.ndarray) -> np.ndarray:
        """Return Σ i iᵀ over all items (D, D), computed once for the same vectors."""
        version = self.item_vectors.data_ptr(), self.item_vectors._version
        if self._gram is None or self._gram[0] != version:
            self._gram = version, gram(vectors)
        return self._gram[1]

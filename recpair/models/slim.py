"""SLIM: sparse non-negative item–item weights by an elastic net for each item."""

from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.models.sparse import kernels
from recpair.models.sparse.item_weights import SparseItemModel

SLOTS = 2**24  # weights of the columns that are computed at a time, at most: 192 MiB


class SLIM(SparseItemModel):
    """score(u, ·) = r_u W: W (I, I) with w_ij ≥ 0 and w_ii = 0 minimises ½‖R − RW‖² + ½·l2·‖W‖² + l1·Σ w_ij.

    R (U, I) is the binary matrix of interactions. The columns of W are independent; each is fitted by coordinate descent,
    over the items that have more than l1 users in common with the column's item: the others have weight 0. In the
    notation of scikit-learn's ElasticNet, l1 = U·alpha·l1_ratio and l2 = U·alpha·(1 − l1_ratio).

    Source: Ning & Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011, equation 3 (β = l2,
    λ = l1).

    Args:
        l1: penalty of the sum of the weights, in common users; larger values make W sparser.
        l2: penalty of the squared weights, in users.
        sweeps: maximum number of updates of each weight.
        tolerance: coordinate descent stops when no weight changes by more.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        l1: Annotated[float, Field(ge=0)] = 1.0,
        l2: Annotated[float, Field(ge=0)] = 10.0,
        sweeps: Annotated[int, Field(gt=0)] = 100,
        tolerance: Annotated[float, Field(gt=0)] = 1e-4,
    ) -> None:
        super().__init__(interactions)
        self.l1, self.l2 = l1, l2
        self.sweeps, self.tolerance = sweeps, tolerance

    def fit(self, interactions: Interactions) -> None:
        users: Any = interactions.to_scipy()
        items = users.T.tocsr()
        tables = (items.indptr, items.indices), (users.indptr, users.indices)
        penalties, limits = (float(self.l1), float(self.l2)), (self.sweeps, self.tolerance)
        most = np.minimum(items @ (np.diff(users.indptr) - 1.0), interactions.n_items - 1).astype(np.int64)
        parts = []
        for first, end in _blocks(most):
            slots = np.cumsum(most[first:end]) - most[first:end]
            found, values = np.empty(most[first:end].sum(), np.int32), np.empty(most[first:end].sum())
            counts = np.empty(end - first, np.int64)
            kernels.slim(first, *tables, penalties, limits, slots, found, values, counts)
            kept = np.repeat(slots - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
            parts.append((counts, found[kept], values[kept].astype(np.float32)))
        counts, found, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        indptr = np.concatenate([[0], np.cumsum(counts)])
        self.weights.assign(sp.csc_array((values, found, indptr), shape=(interactions.n_items, interactions.n_items)))


def _blocks(sizes: np.ndarray) -> list[tuple[int, int]]:
    """Ranges first … end − 1 of columns with at most SLOTS weights, or one column."""
    borders, total = [0], 0
    for column, size in enumerate(sizes.tolist()):
        if total + size > SLOTS and total:
            borders.append(column)
            total = 0
        total += size
    return list(zip(borders, [*borders[1:], len(sizes)], strict=True))

"""Products with the normalised interaction matrix, without its values."""

from dataclasses import dataclass

import numpy as np

from recpair.data.interactions import Interactions
from recpair.models.sparse import kernels

PARTS = 64  # parts of a product, with equal numbers of entries


@dataclass(frozen=True)
class Lists:
    """One side of the interaction graph in CSR: the neighbours of each node, and its degree (at least 1)."""

    indptr: np.ndarray
    indices: np.ndarray
    degrees: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, indptr: np.ndarray, indices: np.ndarray) -> "Lists":
        """Compute degrees, and parts with equal numbers of entries."""
        bounds = np.searchsorted(indptr, np.linspace(0, len(indices), PARTS + 1))
        bounds[0], bounds[-1] = 0, len(indptr) - 1
        degrees = np.maximum(np.diff(indptr), 1).astype(np.float64)
        return cls(indptr.astype(np.int64), indices.astype(np.int32), degrees, bounds)

    def sums(
        self, dense: np.ndarray, scale: np.ndarray, weight: float = 0.0, added: np.ndarray | None = None
    ) -> np.ndarray:
        """Return scale · (sums of the neighbours' rows of ``dense``) + weight · added, float of its type."""
        out = np.empty((len(self.degrees), dense.shape[1]), dtype=dense.dtype)
        added = out if added is None else added
        factor, scale = dense.dtype.type(weight), scale.astype(dense.dtype)
        kernels.sum_rows(self.indptr, self.indices, scale, dense, self.bounds, factor, added, out)
        return out


class Graph:
    """Users and items, connected by the training interactions: the binary matrix R (U, I) in both directions.

    R̃ = D_U^−½ R D_I^−½ is the normalised matrix, with the degrees D of users and items, and P = R̃ᵀR̃ (I, I).
    """

    def __init__(self, interactions: Interactions) -> None:
        users = interactions.to_scipy()
        items = users.T.tocsr()
        self.users = Lists.of(users.indptr, users.indices)
        self.items = Lists.of(items.indptr, items.indices)

    def polynomial(self, coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return (Σ_n c_n Pⁿ) x for x (I, D), by Horner's rule.

        P = D_I^½ (D_I⁻¹ Rᵀ D_U⁻¹ R) D_I^−½, so the products need no values: only averages over neighbours.
        """
        roots = np.sqrt(self.items.degrees).astype(x.dtype)[:, None]
        start = x / roots
        total: np.ndarray = x.dtype.type(coefficients[-1]) * start
        for c in coefficients[-2::-1]:
            users = self.users.sums(total, 1.0 / self.users.degrees)
            total = self.items.sums(users, 1.0 / self.items.degrees, c, start)
        total *= roots
        return total

    def filtered_users(self, coefficients: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Return D_U^−½ (Σ_n c_n Sⁿ) D_U^½ x for x (U, D), S = R̃R̃ᵀ, by Horner's rule."""
        start = total
        total = total.dtype.type(coefficients[-1]) * start
        for c in coefficients[-2::-1]:
            items = self.items.sums(total, 1.0 / self.items.degrees)
            total = self.users.sums(items, 1.0 / self.users.degrees, c, start)
        return total

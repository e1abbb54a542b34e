"""Leading singular vectors of the normalised interaction matrix by a randomised method."""

from typing import Any

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor

from recpair.models.blas import one_thread
from recpair.models.sparse.graph import Graph
from recpair.seeds import generator

OVERSAMPLING = 10  # further vectors of the iteration, for accuracy
POWER_ITERATIONS = 5


def right_singular_vectors(graph: Graph, k: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "I D"]:
    """Return the right singular vectors of R̃ (U, I) with the D largest singular values, the largest first.

    D = min(k, U, I); vectors of singular value 0, which are not determined, are replaced by 0. The subspace is iterated
    on the users or the items, whichever are fewer, and orthonormalised after each product with S = R̃R̃ᵀ or P = R̃ᵀR̃; if
    it contains all of them (at most k + 10), the result is exact; otherwise the last vectors mix with the next ones where
    the spectrum is flat. Source: Halko et al., SIAM Review 2011, algorithms 4.4 and 5.1.
    """
    roots = [np.sqrt(side.degrees)[:, None].astype(_numpy(dtype)) for side in (graph.users, graph.items)]

    def to_users(x: np.ndarray) -> np.ndarray:
        return graph.users.sums(x / roots[1], 1.0 / np.sqrt(graph.users.degrees))

    def to_items(x: np.ndarray) -> np.ndarray:
        return graph.items.sums(x / roots[0], 1.0 / np.sqrt(graph.items.degrees))

    n_users, n_items = len(roots[0]), len(roots[1])
    there, back = (to_items, to_users) if n_users <= n_items else (to_users, to_items)
    size = min(n_users, n_items), min(k + OVERSAMPLING, n_users, n_items)
    x = torch.randn(size, dtype=dtype, generator=generator()).numpy()
    with one_thread():
        x = _orthonormal(x)
        for _ in range(POWER_ITERATIONS):
            x = _orthonormal(back(there(x)))
        basis, triangle = scipy.linalg.qr(there(x), mode="economic", check_finite=False)
        left, values, right = scipy.linalg.svd(triangle)
        vectors = basis @ left if n_users <= n_items else x @ right.T
    smallest = values[0] * max(n_users, n_items) * np.finfo(values.dtype).eps  # as numpy.linalg.matrix_rank
    vectors *= values > smallest
    return torch.from_numpy(np.ascontiguousarray(vectors[:, : min(k, n_users, n_items)]))


def _orthonormal(x: np.ndarray) -> np.ndarray:
    basis: np.ndarray = scipy.linalg.qr(x, mode="economic", check_finite=False)[0]
    return np.ascontiguousarray(basis)


def _numpy(dtype: torch.dtype) -> Any:
    return torch.empty(0, dtype=dtype).numpy().dtype

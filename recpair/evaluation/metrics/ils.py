"""Intra-list similarity."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int


def ils(items: Int[np.ndarray, "B K"], item_vectors: Float[np.ndarray, "I D"]) -> Float[np.ndarray, "B"]:
    """Mean cosine similarity of the item vectors over all pairs of items in a list; in [−1, 1], low for diverse lists.

    0 for a list of fewer than two items; an item whose vector is 0 has similarity 0 to all others. Over n unit vectors v,
    the mean is (‖Σ v‖² − Σ ‖v‖²) / (n (n − 1)), without iterating over pairs. The vectors are those of the trained model:
    values are comparable only if they are computed with the vectors of one model.

    Source: Ziegler et al., WWW 2005, with the mean instead of the sum over pairs.
    """
    norms = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    unit = np.divide(item_vectors, norms, out=np.zeros_like(item_vectors), where=norms > 0)
    return mean_similarity(items, unit, norms[:, 0] > 0)


def mean_similarity(
    items: Int[np.ndarray, "B K"], unit: np.ndarray | sp.csr_matrix, present: Bool[np.ndarray, "I"]
) -> Float[np.ndarray, "B"]:
    """Return the mean inner product of the vectors (I, D), of length one or zero, over all pairs of items in a list."""
    listed = items >= 0
    n = np.count_nonzero(listed, axis=1)
    indptr = np.concatenate([[0], np.cumsum(n)])
    members = sp.csr_array(
        (np.ones(indptr[-1], dtype=unit.dtype), items[listed], indptr), shape=(len(items), unit.shape[0])
    )
    sums: Any = members @ unit
    squares = members @ present.astype(np.float64)
    squared: Any = sums.power(2) if hasattr(sums, "power") else sums.astype(np.float64) ** 2
    lengths = np.asarray(squared.sum(axis=1), dtype=np.float64).ravel()
    pairs = n * (n - 1)
    mean: np.ndarray = np.divide(lengths - squares, pairs, out=np.zeros(len(items)), where=pairs > 0)
    return mean

"""Intra-list similarity."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


def ils(items: Int[np.ndarray, "B K"], item_vectors: Float[np.ndarray, "I D"]) -> Float[np.ndarray, "B"]:
    """Mean cosine similarity of the item vectors over all pairs of items in a list; in [−1, 1], low for diverse lists.

    0 for a list of fewer than two items; an item whose vector is 0 has similarity 0 to all others. Over n unit vectors v,
    the mean is (‖Σ v‖² − Σ ‖v‖²) / (n (n − 1)), without iterating over pairs. The vectors are those of the trained model:
    values are comparable only if they are computed with the vectors of one model.

    Source: Ziegler et al., WWW 2005, with the mean instead of the sum over pairs.
    """
    norms = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    unit = np.divide(item_vectors, norms, out=np.zeros_like(item_vectors), where=norms > 0)
    listed = items >= 0
    n = np.count_nonzero(listed, axis=1)
    indptr = np.concatenate([[0], np.cumsum(n)])
    members = sp.csr_array(
        (np.ones(indptr[-1], dtype=unit.dtype), items[listed], indptr), shape=(len(items), len(item_vectors))
    )
    sums = (members @ unit).astype(np.float64)
    squares = members @ (norms[:, 0] > 0).astype(np.float64)
    pairs = n * (n - 1)
    mean: np.ndarray = np.divide((sums**2).sum(1) - squares, pairs, out=np.zeros(len(items)), where=pairs > 0)
    return mean

"""Mean average precision."""

import numpy as np
from jaxtyping import Bool, Float, Int


def average_precision(hits: Bool[np.ndarray, "B K"], n_relevant: Int[np.ndarray, "B"]) -> Float[np.ndarray, "B"]:
    """Sum of precision@r over the ranks r ≤ K of hits, divided by min(n relevant, K); in [0, 1]. The mean is MAP."""
    lists, places = np.nonzero(hits)
    hits_so_far = np.cumsum(hits, axis=1)[lists, places]
    sums = np.bincount(lists, weights=hits_so_far / (places + 1), minlength=len(hits))
    mean: np.ndarray = sums / np.minimum(n_relevant, hits.shape[1])
    return mean

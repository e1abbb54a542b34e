"""Precision."""

import numpy as np
from jaxtyping import Bool, Float


def precision(hits: Bool[np.ndarray, "B K"]) -> Float[np.ndarray, "B"]:
    """Hits among the first K items, divided by K (even if fewer than K items can be ranked); in [0, 1]."""
    found: np.ndarray = np.count_nonzero(hits, axis=1) / hits.shape[1]
    return found

"""Hit rate."""

import numpy as np
from jaxtyping import Bool, Float


def hit(hits: Bool[np.ndarray, "B K"]) -> Float[np.ndarray, "B"]:
    """1 if at least one of the first K items is relevant, else 0; the mean over users is the hit rate."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)

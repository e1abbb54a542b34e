"""Recall."""

import numpy as np
from jaxtyping import Bool, Float, Int


def recall(hits: Bool[np.ndarray, "B K"], n_relevant: Int[np.ndarray, "B"]) -> Float[np.ndarray, "B"]:
    """Hits among the first K items, divided by the number of relevant items; in [0, 1]."""
    found: np.ndarray = np.count_nonzero(hits, axis=1) / n_relevant
    return found

"""Catalogue coverage."""

import numpy as np
from jaxtyping import Int


def coverage(items: Int[np.ndarray, "B K"], n_items: int) -> float:
    """Share of the catalogue that is in at least one list; in [0, 1]."""
    listed = np.zeros(n_items, dtype=bool)
    listed[items[items >= 0]] = True
    return np.count_nonzero(listed) / n_items

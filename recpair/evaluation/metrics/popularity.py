"""Popularity of the listed items."""

import numpy as np
from jaxtyping import Int


def popularity(items: Int[np.ndarray, "B K"], item_counts: Int[np.ndarray, "I"]) -> float:
    """Mean number of training interactions of all listed items; 0 if the lists are empty."""
    listed = items[items >= 0]
    return float(item_counts[listed].mean()) if len(listed) else 0.0

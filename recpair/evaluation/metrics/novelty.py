"""Novelty."""

import numpy as np
from jaxtyping import Int


def novelty(items: Int[np.ndarray, "B K"], item_users: Int[np.ndarray, "I"], n_users: int) -> float:
    """Mean of −log₂(users of the item / users) over all listed items, in bits; 0 if the lists are empty.

    An item without a training interaction counts as if it had one user. Source: Zhou et al., PNAS 2010.
    """
    counts = np.maximum(item_users, 1)
    listed = items[items >= 0]
    return float(-np.log2(counts[listed] / n_users).mean()) if len(listed) else 0.0

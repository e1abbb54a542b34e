"""Mean reciprocal rank."""

import numpy as np
from jaxtyping import Bool, Float


def reciprocal_rank(hits: Bool[np.ndarray, "B K"]) -> Float[np.ndarray, "B"]:
    """1 / rank of the first relevant item, 0 if none is among the first K; in [0, 1]. The mean over users is MRR."""
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)

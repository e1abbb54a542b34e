"""Vectors of histories: recency-weighted means of item vectors."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from recpair.data.interactions import Interactions
from recpair.semantics.encoders.contract import normalised


def history_vectors(
    train: Interactions, item_vectors: Float[np.ndarray, "I D"], decay: float
) -> Float[np.ndarray, "E D"]:
    """Return, for each training row, the recency-weighted mean of its user's items before it, of length one.

    h(row) ∝ Σ_j decay^(j−1) · v(item j steps before), which is decay · h(row − 1) + v(item of row − 1): all users
    advance one step at a time together. Zeros if no item before the row has a vector.
    """
    result = np.zeros((len(train), item_vectors.shape[1]), dtype=np.float32)
    place = np.arange(len(train)) - train.indptr[train.user]
    by_place = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    for start, stop in pairwise(ends):
        rows = by_place[start:stop]
        result[rows] = decay * result[rows - 1] + item_vectors[train.item[rows - 1]]
    return normalised(result)

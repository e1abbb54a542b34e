"""What somebody took before, as rows of equal length: padded on the left, the latest last."""

import numpy as np

from recpair.data.interactions import Interactions

PADDING = -1  # stands where there was nothing yet


def before(train: Interactions, rows: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the items that the user of each training row took before it, ``length`` of them at most.

    A row of the training interactions so names a prefix of its user's history: all that precedes it.
    """
    places = rows[:, None] - np.arange(length, 0, -1)
    known = places >= train.indptr[train.user[rows]][:, None]
    return np.where(known, train.item[np.maximum(places, 0)], PADDING).astype(np.int64)


def latest(parts: tuple[Interactions, ...], users: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the last items of each user over the parts; the parts follow each other in time."""
    out = np.full((len(users), length), PADDING, dtype=np.int64)
    for row, user in enumerate(users):
        items = np.concatenate([part.items_of(user) for part in parts])[-length:]
        out[row, length - len(items) :] = items
    return out

"""What somebody took before, as rows of equal length: padded on the left, the latest last."""

from collections.abc import Sequence

import numpy as np

from recpair.data.interactions import Interactions

PADDING = -1  # stands where there was nothing yet


def before(train: Interactions, rows: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the items that the user of each training row took before it, ``length`` of them at most.

    A row of the training interactions so names a prefix of its user's history: all that precedes it.
    """
    return between(train, train.indptr[train.user[rows]], rows, length)


def between(train: Interactions, first: np.ndarray, end: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the items of the rows first … end − 1 of each range, the last ``length`` of them."""
    places = end[:, None] - np.arange(length, 0, -1)
    return np.where(places >= first[:, None], train.item[np.maximum(places, 0)], PADDING).astype(np.int64)


def latest(parts: Sequence[Interactions], users: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the last items of each user over the parts, which follow each other in time.

    Padding that all rows share is cut off, but for one place.
    """
    sizes = np.sum([np.diff(part.indptr)[users] for part in parts], axis=0)
    width = int(np.clip(sizes.max(initial=0), 1, length))
    out = np.full((len(users), width), PADDING, dtype=np.int64)
    back = np.arange(width, 0, -1)  # 1 is the last place
    filled = np.zeros((len(users), 1), dtype=np.int64)
    for part in reversed(parts):
        first, end = part.indptr[users][:, None], part.indptr[users + 1][:, None]
        places = end + filled - back
        here = (back > filled) & (places >= first)
        out[here] = part.item[places[here]]
        filled = filled + end - first
    return out


def padded(histories: Sequence[np.ndarray], length: int) -> np.ndarray:
    """int64 (R, length): the last items of lists of any length; padding that all share is cut off, but for one place."""
    width = int(np.clip(max(map(len, histories), default=0), 1, length))
    out = np.full((len(histories), width), PADDING, dtype=np.int64)
    for row, history in enumerate(histories):
        items = history[-width:]
        out[row, width - len(items) :] = items
    return out

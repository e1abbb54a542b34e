"""Results of the semantic stage for training."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Retrieved:
    """Vectors of items and of training histories, and the nearest of each; computed from training events only.

    A history is identified by the training row that it precedes (``data.histories.before``).

    Attributes:
        item_vectors: float32 (I, S), of length one; zeros for an item without text.
        item_neighbours: int32 (I, k) items, the nearest first, excluding itself; −1 where there are fewer.
        history_vectors: float32 (E, S), of length one; zeros if nothing precedes the row.
        history_neighbours: int32 (E, k) training rows, the nearest first; −1 where there are fewer.
    """

    item_vectors: np.ndarray
    item_neighbours: np.ndarray
    history_vectors: np.ndarray
    history_neighbours: np.ndarray

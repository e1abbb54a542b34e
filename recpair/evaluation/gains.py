"""Gains of held-out events for NDCG."""

import numpy as np

from recpair.data.interactions import Interactions
from recpair.errors import DataError


def rating_gains(held_out: Interactions) -> np.ndarray:
    """Rating of each distinct (user, item), float64, in ascending order; for repeated events, the highest.

    Raises:
        DataError: there are no ratings, or a rating is missing or negative.
    """
    rating = held_out.rating
    instead = "or set evaluate.gain=binary"
    if rating is None:
        raise DataError(
            f"evaluate.gain is rating, but the data has no ratings; map them with data.columns.rating, {instead}"
        )
    unusable = ~(rating >= 0)  # NaN too
    if unusable.any():
        row = int(unusable.argmax())
        ids = held_out.vocabulary
        user, item = ids.users.of(held_out.user[[row]])[0], ids.items.of(held_out.item[[row]])[0]
        raise DataError(
            f"evaluate.gain is rating, but {int(unusable.sum()):,} of {len(rating):,} held-out events have a rating that is "
            f"negative or missing, for example that of user {user!r} and item {item!r} ({rating[row]:g}); correct the ratings, "
            f"{instead}"
        )
    return held_out.largest_per_pair(rating).astype(np.float64)

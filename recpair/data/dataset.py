"""Interactions joined with what is known about their items and users."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recpair.data.events import Events
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary


@dataclass(frozen=True, eq=False)
class Dataset:
    """All events of a data set, indexed, before the split.

    Attributes:
        interactions: every event.
        split: the source's own split label of each event (row of ``interactions``), or None.
        items, users: side tables by external id, or None.
    """

    interactions: Interactions
    split: np.ndarray | None
    items: pl.DataFrame | None
    users: pl.DataFrame | None
    name: str

    @classmethod
    def from_events(cls, events: Events) -> "Dataset":
        """Index the ids in ascending order (integers by value, text by code point) and sort by (user, time)."""
        frame = events.frame
        user_ids, user = indexed(frame["user_id"])
        item_ids, item = indexed(frame["item_id"])
        column = {
            name: frame[name].to_numpy() if name in frame.columns else None
            for name in ("timestamp", "rating", "weight", "split")
        }
        order = Interactions.order(user, column["timestamp"])
        interactions = Interactions.from_indices(
            user,
            item,
            column["timestamp"],
            column["rating"],
            column["weight"],
            vocabulary=Vocabulary(Ids("user", user_ids), Ids("item", item_ids)),
        )
        split = None if column["split"] is None else column["split"][order]
        return cls(interactions, split, events.items, events.users, events.name)


def indexed(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Distinct ids in ascending order, and the index (int32) of each id among them."""
    if ids.dtype.is_integer():
        values = ids.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < 10 * len(values) + 1_000_000:  # a table is quicker than a sort
            present = np.zeros(high - low + 1, dtype=bool)
            present[values - low] = True
            index = np.cumsum(present, dtype=np.int32) - 1
            return pl.Series(ids.name, np.flatnonzero(present) + low), index[values - low]
    distinct = ids.unique().sort()
    table = pl.DataFrame({ids.name: distinct, "index": np.arange(len(distinct), dtype=np.int32)})
    return distinct, ids.to_frame().join(table, on=ids.name, how="left", maintain_order="left")["index"].to_numpy()

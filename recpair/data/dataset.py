"""Interactions with the side tables of their items and users."""

from dataclasses import dataclass

import polars as pl

from recpair.data.events import Events
from recpair.data.indexing import Index
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary


@dataclass(frozen=True, eq=False)
class Dataset:
    """All events of a data set, indexed, before the split.

    Attributes:
        interactions: all events.
        split: split label of each event (row of ``interactions``) in the source, or None.
        items, users: side tables by external id, or None.
    """

    interactions: Interactions
    split: pl.Series | None
    items: pl.DataFrame | None
    users: pl.DataFrame | None
    name: str

    @classmethod
    def from_events(cls, events: Events) -> "Dataset":
        """Index the ids in ascending order (integers by value, text by code point) and sort by (user, time)."""
        index = Index.of(events.frame) if events.index is None else events.index
        vocabulary = Vocabulary(Ids("user", index.user_ids), Ids("item", index.item_ids))
        rating, weight = index.column("rating"), index.column("weight")
        interactions = Interactions(index.user, index.item, index.time, rating, weight, vocabulary, events.clock)
        split = None
        if "split" in index.source.columns:
            split = index.source["split"].cast(pl.Categorical).rechunk()[index.rows]
        return cls(interactions, split, events.items, events.users, events.name)

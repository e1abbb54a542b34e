"""External ids that a model has learnt about: those with a training event."""

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from recpair.data.ids import shown
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids
from recpair.errors import UnknownIdError

Kind = Literal["user", "item"]

logger = logging.getLogger("recpair")


@dataclass(frozen=True, eq=False)
class TrainedIds:
    """Lookup of the users and items with a training event.

    The vocabulary of a run also has ids whose events are all in the validation or test part. Their
    vectors are as they were initialised, so they are unknown ids here.
    """

    train: Interactions

    @cached_property
    def users(self) -> np.ndarray:
        """bool (U,): True for a user with a training event."""
        return np.diff(self.train.indptr) > 0

    @cached_property
    def items(self) -> np.ndarray:
        """bool (I,): True for an item with a training event."""
        return self.train.item_counts > 0

    @cached_property
    def n_items(self) -> int:
        """The number of items with a training event."""
        return int(self.items.sum())

    @cached_property
    def rankable(self) -> np.ndarray | None:
        """bool (I,): the items that may be recommended; None: all."""
        return None if self.items.all() else self.items

    def all_users(self) -> pl.Series:
        """The ids of the users with a training event; a note says how many have none."""
        ids = self.train.vocabulary.users.values
        if self.users.all():
            return ids
        left_out = int((~self.users).sum())
        logger.info("users without a training event are left out (%s of %s)", f"{left_out:,}", f"{len(ids):,}")
        return ids.filter(pl.Series(self.users))

    def find(self, kind: Kind, asked: pl.Series) -> np.ndarray:
        """Indices (int32) of external ids; −1 for an id without a training event."""
        ids, trained = self._of(kind)
        index = ids.find(asked)
        return np.where((index >= 0) & trained[index], index, np.int32(-1))

    def require(self, kind: Kind, asked: pl.Series, todo: str = "check the ids") -> np.ndarray:
        """Indices (int32) of external ids.

        Raises:
            UnknownIdError: names the first ids without a training event, and says what to do (``todo``).
        """
        index = self.find(kind, asked)
        if len(index) == 0 or index.min() >= 0:
            return index
        ids, trained = self._of(kind)
        unknown = asked.filter(pl.Series(index < 0))
        known = f"{int(trained.sum()):,} {kind}s have training events"
        held_out = unknown.filter(pl.Series(ids.find(unknown) >= 0))
        if len(held_out):
            known += f"; in the data set without one: {shown(held_out, 1)}"
        raise UnknownIdError(f"unknown {kind}_id: {shown(unknown, 3)} ({known}); {todo}")

    def _of(self, kind: Kind) -> tuple[Ids, np.ndarray]:
        vocabulary = self.train.vocabulary
        return (vocabulary.users, self.users) if kind == "user" else (vocabulary.items, self.items)

"""External ids of the users and items with training events."""

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
from recpair.registry import nearest

Kind = Literal["user", "item"]
COMPARED, LONGEST = 1000, 100  # ids, characters

logger = logging.getLogger("recpair")


@dataclass(frozen=True, eq=False)
class TrainedIds:
    """Lookup of the users and items with a training event.

    The vocabulary of a run also has ids with events in the validation or test part only. Their vectors are
    untrained, so they are treated as unknown.

    Attributes:
        added: indices of items without a training event that are known nevertheless, or None.
    """

    train: Interactions
    added: np.ndarray | None = None

    @cached_property
    def users(self) -> np.ndarray:
        """True for users with a training event, bool (U,)."""
        return np.diff(self.train.indptr) > 0

    @cached_property
    def items(self) -> np.ndarray:
        """True for items with a training event and for added items, bool (I,)."""
        known = self.train.item_counts > 0
        if self.added is not None:
            known[self.added] = True
        return known

    @cached_property
    def n_items(self) -> int:
        """Number of items that can be recommended."""
        return int(self.items.sum())

    @cached_property
    def rankable(self) -> np.ndarray | None:
        """Mask of the items that can be recommended, bool (I,); None: all."""
        return None if self.items.all() else self.items

    def all_users(self) -> pl.Series:
        """Return the ids of the users with a training event; the number of other users is logged."""
        ids = self.train.vocabulary.users.values
        if self.users.all():
            return ids
        left_out = int((~self.users).sum())
        logger.info("users without a training event are left out (%s of %s)", f"{left_out:,}", f"{len(ids):,}")
        return ids.filter(pl.Series(self.users))

    def find(self, kind: Kind, asked: pl.Series) -> np.ndarray:
        """Return the indices (int32) of external ids; −1 for ids without a training event."""
        ids, trained = self._of(kind)
        index = ids.find(asked)
        return np.where((index >= 0) & trained[index], index, np.int32(-1))

    def require(self, kind: Kind, asked: pl.Series, todo: str = "check the ids") -> np.ndarray:
        """Return the indices (int32) of external ids.

        Raises:
            UnknownIdError: an id has no training event; the message lists the first ones and the remedy ``todo``.
        """
        index = self.find(kind, asked)
        if len(index) == 0 or index.min() >= 0:
            return index
        ids, trained = self._of(kind)
        unknown = asked.filter(pl.Series(index < 0))
        known = f"{int(trained.sum()):,} {kind}s have training events"
        absent = pl.Series(ids.find(unknown) < 0)
        held_out = unknown.filter(~absent)
        if len(held_out):
            known += f"; in the data set without one: {shown(held_out, 1)}"
        near = self._nearest(kind, unknown[0]) if absent[0] else ""
        raise UnknownIdError(f"unknown {kind}_id: {shown(unknown, 3)} ({known}){near}; {todo}")

    def _nearest(self, kind: Kind, unknown: str | int | None) -> str:
        """Return "; did you mean X?" with the most similar id of a training event, or an empty string.

        Only ids that have about the same length and the same first or last half are compared, ``COMPARED`` at most: among a
        million ids, this takes a fraction of a second.
        """
        if unknown is None:
            return ""
        text = str(unknown)[:LONGEST]
        ids, trained = self._of(kind)
        texts = ids.values.cast(pl.String).filter(pl.Series(trained))
        half, lower = len(text) // 2, texts.str.to_lowercase()
        alike = lower.str.starts_with(text[:half].lower()) | lower.str.ends_with(text[len(text) - half :].lower())
        close = (texts.str.len_chars().cast(pl.Int64) - len(text)).abs() <= 2
        return nearest(text, texts.filter(alike & close).head(COMPARED).to_list())

    def _of(self, kind: Kind) -> tuple[Ids, np.ndarray]:
        vocabulary = self.train.vocabulary
        return (vocabulary.users, self.users) if kind == "user" else (vocabulary.items, self.items)

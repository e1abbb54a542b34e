"""Histories: the earlier items of each user, as rows of equal length, padded on the left, the latest last."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recpair.data.interactions import Interactions

PADDING = -1  # fills positions before the first item


def before(train: Interactions, rows: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the items before each training row in its user's history, at most ``length``.

    A row of the training interactions thus identifies a prefix of its user's history: all events before it.
    """
    return between(train, train.indptr[train.user[rows]], rows, length)


def between(train: Interactions, first: np.ndarray, end: np.ndarray, length: int) -> np.ndarray:
    """int64 (R, length): the items of the rows first … end − 1 of each range, the last ``length`` of them."""
    places = end[:, None] - np.arange(length, 0, -1)
    return np.where(places >= first[:, None], train.item[np.maximum(places, 0)], PADDING).astype(np.int64)


def padded(histories: Sequence[np.ndarray], length: int) -> np.ndarray:
    """int64 (R, length): the last items of lists of any length, without common padding, but at least one column."""
    width = int(np.clip(max(map(len, histories), default=0), 1, length))
    out = np.full((len(histories), width), PADDING, dtype=np.int64)
    for row, history in enumerate(histories):
        items = history[-width:]
        out[row, width - len(items) :] = items
    return out


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories of users as input of models that read them, in order of time.

    With ``held_out``, the history of a user contains the events of the parts that are not later than the first
    held-out event of that user. Predictions therefore never use future events, for any split. Events at the same time
    are ordered by part. Without times, all events of the parts are used, one part after the other.

    Attributes:
        parts: the events that may be used.
        held_out: the events to predict; None if all events of the parts are in the past, as in serving.
    """

    parts: Sequence[Interactions]
    held_out: Interactions | None = None

    @cached_property
    def events(self) -> Interactions:
        """All events of the histories, sorted by (user, time)."""
        kept = [self.part_before(part) for part in self.parts]
        if len(kept) == 1:
            return kept[0]
        time = None if any(part.time is None for part in kept) else np.concatenate([part.time for part in kept])
        user, item = (np.concatenate([getattr(part, name) for part in kept]) for name in ("user", "item"))
        return Interactions.from_indices(user, item, time, vocabulary=kept[0].vocabulary, clock=kept[0].clock)

    def part_before(self, part: Interactions) -> Interactions:
        """Return the events of a part that belong to histories."""
        later = self.later(part)
        return part.select(~later) if later.any() else part

    def later(self, part: Interactions) -> np.ndarray:
        """Mask (E,) of the events of a part that are later than their user's first held-out event."""
        held_out = self.held_out
        if held_out is None or held_out.time is None or part.time is None:
            return np.zeros(len(part), dtype=bool)
        ends = np.full(part.n_users, np.iinfo(np.int64).max)
        tested = np.flatnonzero(np.diff(held_out.indptr))
        ends[tested] = held_out.time[held_out.indptr[tested]]
        later: np.ndarray = part.time > ends[part.user]
        return later

    def latest(self, users: np.ndarray, length: int) -> np.ndarray:
        """int64 (R, length): the last items of each user, without common padding, but at least one column."""
        events = self.events
        if len(events) == 0:
            return np.full((len(users), 1), PADDING, dtype=np.int64)
        first, end = events.indptr[users], events.indptr[users + 1]
        return between(events, first, end, int(np.clip((end - first).max(initial=0), 1, length)))


def notes_on_histories(train: Interactions, valid: Interactions, test: Interactions) -> list[str]:
    """Return a note on the events excluded from histories as later than a held-out event of the same user."""
    unread = [
        sum(int(histories.later(part).sum()) for part in histories.parts)
        for histories in (Histories((train,), valid), Histories((train, valid), test))
    ]
    if not any(unread):
        return []
    return [
        f"a history ends at its user's first held-out event: {unread[0]:,} later events of the same users are not read "
        f"in the validation, {unread[1]:,} are not read in the test; those of the training part still train"
    ]

"""Runs that the page shows, with what is computed once for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from recpair.browse.cards import Cards
from recpair.browse.search import SearchIndex
from recpair.browse.text import TextNeighbours
from recpair.data.ids import shown
from recpair.data.times import UNKNOWN, Clock, read_times
from recpair.errors import RunError, UnknownIdError
from recpair.run.folder import AUDIT
from recpair.run.run import Run
from recpair.run.trained_ids import Kind, TrainedIds


@dataclass(frozen=True, eq=False)
class Opened:
    """A run under a short name that is unique on the page."""

    name: str
    run: Run
    lock: Lock = field(default_factory=Lock)

    @cached_property
    def ids(self) -> TrainedIds:
        """The users and items with a training event."""
        return TrainedIds(self.run.recommender.train)

    @cached_property
    def clock(self) -> Clock:
        """Unit of the times, detected from their range as in reading."""
        time = self.run.recommender.train.time
        return UNKNOWN if time is None else read_times(pl.Series(time)).clock

    def day(self, tick: int | None) -> str | None:
        """Return the day of a time; None if the unit is unknown, as only the order counts then."""
        return None if tick is None or self.clock.per_second is None else self.clock.shown(int(tick))

    @cached_property
    def _audit(self) -> pl.DataFrame:
        return self.run.audit()

    def audit(self) -> pl.DataFrame:
        """Return the audit, computed once.

        Raises:
            RunError: the model was not trained by a loss.
        """
        with self.lock:
            return self._audit

    def find(self, kind: Kind, id_: str) -> int:
        """Return the index of an id with a training event; −1 for any other id."""
        return int(self.ids.find(kind, pl.Series([id_]))[0])

    def id_of(self, kind: Kind, index: int) -> str:
        """Return the id of an index as text."""
        ids = self.run.recommender.train.vocabulary
        return str((ids.users if kind == "user" else ids.items).of(np.array([index]))[0])

    def require(self, kind: Kind, id_: str) -> int:
        """Return the index of an id with a training event.

        Raises:
            UnknownIdError: there is none.
        """
        if (index := self.find(kind, id_)) < 0:
            raise UnknownIdError(f"{kind} {shown(pl.Series([id_]))} has no training event in {self.name}")
        return index


class Shelf:
    """All runs of the page: their items, the search index and the text neighbours.

    Args:
        runs: finished runs; the first is the one that others are compared with.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = [Opened(name, run) for name, run in zip(names(runs), runs, strict=True)]
        self.cards = Cards(runs)
        items, users = (self._distinct(kind) for kind in ("item", "user"))
        self.search = SearchIndex(
            items, self.cards.titles(items), self._events("item", items), users, self._events("user", users)
        )
        self.text = TextNeighbours(runs)

    def _distinct(self, kind: Kind) -> list[str]:
        """Ids with a training event in any run, as text."""
        found: dict[str, None] = {}
        for opened in self.runs:
            ids, trained = (
                (opened.run.recommender.train.vocabulary.users, opened.ids.users)
                if kind == "user"
                else (opened.run.recommender.train.vocabulary.items, opened.ids.items)
            )
            found |= dict.fromkeys(ids.of(np.flatnonzero(trained)).cast(pl.String).to_list())
        return list(found)

    def _events(self, kind: Kind, ids: list[str]) -> np.ndarray:
        """Training events of ids in the first run that knows them."""
        events = np.zeros(len(ids), dtype=np.int64)
        asked = pl.Series(ids, dtype=pl.String)
        for opened in reversed(self.runs):
            train = opened.run.recommender.train
            counts = np.diff(train.indptr) if kind == "user" else train.item_counts
            index = opened.ids.find(kind, asked)
            events = np.where(index >= 0, counts[index], events)
        return events

    def at(self, place: int) -> Opened:
        """Return the run at a place of the command line, from 0.

        Raises:
            RunError: there are fewer runs.
        """
        if place >= len(self.runs):
            raise RunError(f"run is {place}, but there are {len(self.runs)} runs, numbered from 0")
        return self.runs[place]

    def knowing(self, kind: Kind, id_: str) -> Opened:
        """Return the first run in which an id has a training event.

        Raises:
            UnknownIdError: there is none.
        """
        for opened in self.runs:
            if opened.find(kind, id_) >= 0:
                return opened
        where = self.runs[0].name if len(self.runs) == 1 else f"any of the {len(self.runs)} runs"
        raise UnknownIdError(f"{kind} {shown(pl.Series([id_]))} has no training event in {where}; check the id")

    def warm_up(self) -> None:
        """Compute what a first request would wait for: compiled kernels, text vectors and audits."""
        for opened in self.runs:
            users: Any = opened.run.recommender.train.vocabulary.users.of(np.flatnonzero(opened.ids.users)[:1])
            opened.run.recommend(users, k=1, explain=opened.run.recommender.explainer.kind != "leave_one_out")
        self.text.prepare()
        for opened in self.runs:
            if opened.run.files.lists(AUDIT):
                opened.audit()


def names(runs: Sequence[Run]) -> list[str]:
    """Return a short unique name of each run: its folder, with as many parents or numbers as needed."""
    parts = [run.folder.absolute().parts for run in runs]
    for depth in range(1, 4):
        short = [str(Path(*part[-depth:])) for part in parts]
        if len(set(short)) == len(short):
            return short
    return [f"{name} ({number})" for number, name in enumerate(short, start=1)]

"""Filters of events: rating threshold, time range, duplicates, k-core."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from recpair.data.events import Events
from recpair.data.indexing import Index
from recpair.errors import DataError

Report = list[tuple[str, int]]  # filter → events left


def filter_events(
    events: Events,
    *,
    min_rating: float | None = None,
    start: int | float | str | None = None,
    end: int | float | str | None = None,
    deduplicate: Literal["first", "last", "count", "keep"] = "first",
    user_core: Annotated[int, Field(ge=1)] = 1,
    item_core: Annotated[int, Field(ge=1)] = 1,
) -> tuple[Events, Report]:
    """Return the events that pass all filters, and the number of events left after each filter.

    Args:
        min_rating: minimum rating.
        start, end: keep times in [start, end): numbers in the unit of the data, or a date such as 2014-05-01 (UTC).
        deduplicate: for repeated (user, item) events, keep the ``first`` or ``last`` in time, the first with their
            number (or the sum of their weights) as ``weight`` (``count``), or ``keep`` all.
        user_core, item_core: minimum number of events per user and per item, applied until both hold.

    Raises:
        DataError: a required column is missing, or no events are left.
    """
    report: Report = [("read", len(events))]

    def apply(name: str, change: Callable[[Events], Events]) -> None:
        nonlocal events
        before = len(events)
        events = change(events)
        if len(events) == 0:
            raise DataError(f"{events.name}: filter.{name} left none of {before:,} events; loosen it")
        report.append((name, len(events)))

    if min_rating is not None:
        _require(events, "rating", "filter.min_rating")
        if events.unrated is not None:
            raise DataError(f"{events.unrated}; filter.min_rating needs a number in every row")
        apply("min_rating", _only(pl.col("rating") >= min_rating))
    for name, bound in (("start", start), ("end", end)):
        if bound is not None:
            _require(events, "timestamp", f"filter.{name}")
            at = events.clock.at(bound, f"filter.{name}")
            time = pl.col("timestamp")
            apply(name, _only(time >= at if name == "start" else time < at))
            if report[-1][1] == report[-2][1]:
                times = events.frame["timestamp"]
                span = " … ".join(events.clock.shown(int(tick)) for tick in (times.min(), times.max()))  # type: ignore[arg-type]
                note = f"filter.{name} ({bound}) leaves out nothing: the times are {span}"
                events = replace(events, notes=(*events.notes, note))
    if deduplicate != "keep":
        apply("deduplicate", lambda events: events.of_index(Index.of(events.frame, deduplicate)))
    if user_core > 1 or item_core > 1:
        apply(
            "core", lambda events: events.of_index((events.index or Index.of(events.frame)).core(user_core, item_core))
        )
    return events, report


def _only(condition: pl.Expr) -> Callable[[Events], Events]:
    return lambda events: events.of_frame(events.frame.filter(condition))


def _require(events: Events, column: str, key: str) -> None:
    if column not in events.frame.columns:
        role = "time" if column == "timestamp" else column
        raise DataError(f"{key} needs a {column} column, which {events.name} lacks; map it with data.columns.{role}")

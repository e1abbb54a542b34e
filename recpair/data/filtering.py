"""Which events count: rating threshold, dates, duplicates, k-core."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from recpair.data.events import Events
from recpair.errors import ConfigError, DataError

Report = list[tuple[str, int]]  # what was done → events left


def filter_events(
    events: Events,
    *,
    min_rating: float | None = None,
    start: int | str | None = None,
    end: int | str | None = None,
    deduplicate: Literal["first", "last", "count", "keep"] = "first",
    user_core: Annotated[int, Field(ge=1)] = 1,
    item_core: Annotated[int, Field(ge=1)] = 1,
) -> tuple[Events, Report]:
    """The events that pass every filter, and how many were left after each.

    Args:
        min_rating: keep ratings of at least this.
        start, end: keep times in [start, end): in the unit of the data, or a date such as 2014-05-01.
        deduplicate: of several events of a user with an item keep the ``first`` or ``last`` in time, the
            first with their number as ``weight`` (``count``), or ``keep`` all.
        user_core, item_core: repeat until every user has at least this many events, and every item.

    Raises:
        DataError: a filter needs a column that is not there, or leaves nothing.
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
        apply("min_rating", _only(pl.col("rating") >= min_rating))
    for name, bound in (("start", start), ("end", end)):
        if bound is not None:
            _require(events, "timestamp", f"filter.{name}")
            at = as_time(bound, f"filter.{name}")
            time = pl.col("timestamp")
            apply(name, _only(time >= at if name == "start" else time < at))
    if deduplicate != "keep":
        apply("deduplicate", lambda events: events.of_index(events.indexed().one_of_each_pair(deduplicate)))
    if user_core > 1 or item_core > 1:
        apply("core", lambda events: events.of_index(events.indexed().core(user_core, item_core)))
    return events, report


def as_time(bound: int | str, key: str) -> int:
    """A time in the unit of the data; a date is read as midnight UTC, in seconds since 1970.

    Raises:
        ConfigError: the text is neither a number nor a date.
    """
    if isinstance(bound, int):
        return bound
    try:
        return int(np.datetime64(bound, "s").astype(np.int64))
    except ValueError:
        raise ConfigError(f"{key} is {bound!r}; expected a number or a date such as 2014-05-01") from None


def _only(condition: pl.Expr) -> Callable[[Events], Events]:
    return lambda events: replace(events, frame=events.frame.filter(condition))


def _require(events: Events, column: str, key: str) -> None:
    if column not in events.frame.columns:
        role = "time" if column == "timestamp" else column
        raise DataError(f"{key} needs a {column} column, which {events.name} lacks; map it with data.columns.{role}")

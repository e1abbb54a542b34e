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

    def apply(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        nonlocal events
        before = len(events)
        events = replace(events, frame=change(events.frame))
        if len(events) == 0:
            raise DataError(f"{events.name}: filter.{name} left none of {before:,} events; loosen it")
        report.append((name, len(events)))

    if min_rating is not None:
        _require(events, "rating", "filter.min_rating")
        apply("min_rating", lambda frame: frame.filter(pl.col("rating") >= min_rating))
    for name, bound in (("start", start), ("end", end)):
        if bound is not None:
            _require(events, "timestamp", f"filter.{name}")
            at = as_time(bound, f"filter.{name}")
            time = pl.col("timestamp")
            apply(name, _only(time >= at if name == "start" else time < at))
    if deduplicate != "keep":
        apply("deduplicate", lambda frame: _deduplicated(frame, deduplicate))
    if user_core > 1 or item_core > 1:
        apply("core", lambda frame: frame.filter(pl.Series(k_core(frame, user_core, item_core))))
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


def k_core(frame: pl.DataFrame, user_core: int, item_core: int) -> np.ndarray:
    """Mask (E,) of the largest subset in which every user has user_core events and every item item_core."""
    codes = [frame[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("user_id", "item_id")]
    kept = np.ones(len(frame), dtype=bool)
    while True:
        enough = kept.copy()
        for code, core in zip(codes, (user_core, item_core), strict=True):
            enough &= np.bincount(code[kept], minlength=code.max() + 1)[code] >= core
        if enough.sum() == kept.sum() or not enough.any():
            return enough
        kept = enough


def _only(condition: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.filter(condition)


def _deduplicated(frame: pl.DataFrame, keep: str) -> pl.DataFrame:
    """One event per (user, item), in the order of the source."""
    pair = ["user_id", "item_id"]
    hashes = frame.select(pl.struct(pair).hash().n_unique()).item()
    if hashes == len(frame) and keep != "count":  # as many hashes as events: no pair is there twice
        return frame
    rows = frame.with_row_index("row")
    ordered = rows.sort("timestamp", maintain_order=True) if "timestamp" in frame.columns else rows
    if keep == "count":
        ordered = ordered.with_columns(pl.len().over(pair).cast(pl.Float32).alias("weight"))
    kept = ordered.unique(pair, keep="last" if keep == "last" else "first", maintain_order=True)
    return kept.sort("row").drop("row")


def _require(events: Events, column: str, key: str) -> None:
    if column not in events.frame.columns:
        role = "time" if column == "timestamp" else column
        raise DataError(f"{key} needs a {column} column, which {events.name} lacks; map it with data.columns.{role}")

"""Conversion of tables to events: checks types, reads times, rejects or drops incomplete rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from recpair.data.ids import EXACT, canonical
from recpair.data.table import NO_VALUE, STANDARD, Table, missing, role_columns
from recpair.data.times import UNKNOWN, BadTime, Clock, TimeUnit, read_times
from recpair.errors import ConfigError, DataError

OnMissing = Literal["error", "drop"]
WEIGHTS = (1e-9, 1e9)  # products of two, and sums of many products, are nonzero in float32


@dataclass(frozen=True)
class Standardised:
    """Events as ``user_id, item_id[, rating][, timestamp][, weight][, split]``.

    Attributes:
        frame: ids are Int64 or String, rating and weight Float32, timestamp Int64 in the unit of ``clock``, split
            String.
        clock: unit of the times.
        notes: interpretations and dropped rows.
        unrated: the first event without a usable rating, for a message, or None.
    """

    frame: pl.DataFrame
    clock: Clock = UNKNOWN
    notes: tuple[str, ...] = ()
    unrated: str | None = None


def standardise(
    table: Table,
    columns: Mapping[str, str | int] | None = None,
    *,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    on_missing: OnMissing = "error",
) -> Standardised:
    """Return the events of a table, with checks of each row.

    Ratings are checked if ``columns`` includes them; otherwise non-numeric values become NaN.

    Args:
        columns: role → column name in the source or 0-based position, if it differs from the standard name.
        time_unit, time_format: unit or format of the times; detected if None.
        on_missing: reject or drop rows without a user, item, time, or a rating or weight included in ``columns``.

    Raises:
        DataError: a column or value is missing, or a value is invalid; names the row.
        ConfigError: time_unit or time_format do not match the times or each other.
    """
    columns = dict(columns or {})
    names = role_columns(table, columns)
    if table.frame.is_empty():
        raise DataError(f"{table.name} holds no events; expected one row per event")
    notes = list(table.notes)
    result = [_ids(table, names[role], notes).alias(STANDARD[role]) for role in ("user", "item")]
    required = [names["user"], names["item"]]
    clock, unrated = UNKNOWN, None
    if "time" in names:
        times, clock = _times(table, names["time"], time_unit, time_format, notes)
        result.append(times.alias("timestamp"))
        required.append(names["time"])
    elif time_unit is not None or time_format is not None:
        key = "time_unit" if time_unit is not None else "time_format"
        raise ConfigError(f"data.{key} is given, but {table.name} has no time column; name it in data.columns.time")
    if "weight" in names:
        result.insert(2, _weights(table, names["weight"]).alias("weight"))
        required.insert(2, names["weight"])
    if "rating" in names:
        ratings, unrated = _ratings(table, names["rating"], "rating" in columns, notes)
        if ratings is not None:
            result.append(ratings.alias("rating"))
            if "rating" in columns:
                required.append(names["rating"])
    if "split" in names and (labels := _labels(table, names["split"], "split" in columns)) is not None:
        result.append(labels.alias("split"))
    frame = pl.DataFrame(result)
    order = [name for name in ("user_id", "item_id", "rating", "timestamp", "weight", "split") if name in frame.columns]
    source = {names[role]: STANDARD.get(role, role) for role in names}
    frame = _complete(table, frame.select(order), {name: source[name] for name in required}, on_missing, notes)
    return Standardised(frame, clock, tuple(notes), unrated)


def _ids(table: Table, name: str, notes: list[str]) -> pl.Series:
    """Return the ids; words such as NULL are missing values among integers, and ids (with a note) among text."""
    values = table.frame[name]
    words = values.is_in(NO_VALUE).fill_null(value=False) if values.dtype == pl.String else pl.Series([False])
    if words.any():
        others = canonical(values.filter(~words), name)
        if others.dtype == pl.Int64:
            values = values.set(words, None)
        else:
            row = int(words.arg_max() or 0)
            notes.append(
                f"{table.place(row)}: {name} is {values[row]!r}, which is read as an id ({words.sum():,} events)"
            )
    ids = canonical(values, f"{table.name} column {name!r}")
    if table.frame[name].dtype.is_float() and ids.dtype == pl.Int64 and (ids.abs() >= EXACT).any():
        notes.append(
            f"{table.name} column {name!r} has floats of 2^53 or more, which cannot distinguish neighbouring integers"
        )
    return ids


def _times(
    table: Table, name: str, unit: TimeUnit | None, form: str | None, notes: list[str]
) -> tuple[pl.Series, Clock]:
    if unit is not None and form is not None:
        raise ConfigError("data.time_unit is for numbers and data.time_format for dates; give one of them")
    values = table.frame[name]
    if values.dtype == pl.String:
        values = values.set(values.is_in(NO_VALUE).fill_null(value=False), None)
    try:
        times = read_times(values, unit, form)
    except BadTime as bad:
        if not bad.expected:
            raise DataError(
                f"{table.name} column {name!r} is of type {values.dtype}; expected dates or numbers as times"
            ) from None
        shown = repr(values[bad.row])
        raise DataError(f"{table.place(bad.row)}: {name} is {shown[:60]}; expected {bad.expected}") from None
    if times.note:
        notes.append(f"{name} is read as {times.note}")
    return times.ticks, times.clock


def _weights(table: Table, name: str) -> pl.Series:
    weights = _numbers(table, name)
    low, high = WEIGHTS
    row = table.first_true(~weights.is_between(low, high).fill_null(value=True))
    if row is not None:
        raise DataError(
            f"{table.place(row)}: {name} is {weights[row]:g}; expected a weight above 0 (from {low:g} to {high:g})"
        )
    return weights


def _ratings(table: Table, name: str, named: bool, notes: list[str]) -> tuple[pl.Series | None, str | None]:
    """Return the ratings, NaN if missing, and a message on the first missing one."""
    if named:
        return _numbers(table, name), None
    values = table.frame[name]
    usable = values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean)
    ratings = values.cast(pl.Float32, strict=False).fill_nan(None) if usable else pl.Series([None], dtype=pl.Float32)
    if ratings.null_count() == len(ratings):
        notes.append(f"{table.name} column {name!r} holds no numbers and is not used as ratings")
        return None, None
    row = table.first_true(ratings.is_null())
    if row is None:
        return ratings, None
    notes.append(f"{ratings.null_count():,} of {len(ratings):,} events have no rating; ratings are not needed here")
    return ratings.fill_null(float("nan")), f"{table.place(row)}: {name} is {_shown(values[row])}"


def _numbers(table: Table, name: str) -> pl.Series:
    """Convert to Float32, null if missing; raise a DataError for the first row that is not a number."""
    values = table.frame[name]
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean, pl.Null)):
        raise DataError(f"{table.name} column {name!r} is of type {values.dtype}; expected numbers")
    numbers = values.cast(pl.Float32, strict=False).fill_nan(None)
    row = table.first_true(numbers.is_null() & ~missing(values))
    if row is not None:
        raise DataError(f"{table.place(row)}: {name} is {_shown(values[row])}; expected a number")
    return numbers


def _labels(table: Table, name: str, named: bool) -> pl.Series | None:
    values = table.frame[name]
    if values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary):
        if named:
            raise DataError(f"{table.name} column {name!r} is of type {values.dtype}; expected words such as train")
        return None
    return values.cast(pl.String)


def _complete(
    table: Table, frame: pl.DataFrame, required: Mapping[str, str], on_missing: OnMissing, notes: list[str]
) -> pl.DataFrame:
    """Return the rows with a value in all required columns (name in the source → in the frame)."""
    gaps = {name: missing(frame[ours]) for name, ours in required.items()}
    counts = {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()}
    if not counts:
        return frame
    lacking = pl.DataFrame(gaps).select(pl.any_horizontal(pl.all())).to_series()
    found = f"{int(lacking.sum()):,} of {len(frame):,} events lack a value ({_counted(counts)})"
    if on_missing == "error":
        row = int(lacking.arg_max() or 0)
        name = next(name for name, gap in gaps.items() if gap[row])
        raise DataError(f"{table.place(row)}: {name} is empty; {found}; fill them in, or set data.on_missing: drop")
    if lacking.all():
        raise DataError(f"{table.name}: {found}, so data.on_missing: drop leaves none; map the columns (data.columns)")
    notes.append(f"{table.name}: {found} and are left out (data.on_missing: drop)")
    return frame.filter(~lacking)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _shown(value: object) -> str:
    return "empty" if value is None else repr(value)[:60]

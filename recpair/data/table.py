"""A table as it was read, and how its columns become the ones that recpair knows."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from recpair.data.ids import EXACT, canonical
from recpair.errors import DataError
from recpair.registry import nearest

Role = Literal["user", "item", "rating", "time", "split"]
STANDARD: dict[str, str] = {
    "user": "user_id",
    "item": "item_id",
    "rating": "rating",
    "time": "timestamp",
    "split": "split",
}


logger = logging.getLogger("recpair")


@dataclass(frozen=True)
class Table:
    """A frame with what is needed to name a place in it.

    Attributes:
        frame: text files give columns of text, other sources their own types.
        name: the file or object, for messages.
        unit: what a row is called there: ``line`` in text files, else ``row``.
        first: the number of the first row of data in that unit.
    """

    frame: pl.DataFrame
    name: str
    unit: str = "row"
    first: int = 1

    def place(self, row: int) -> str:
        return f"{self.name} {self.unit} {row + self.first:,}".replace(",", "")

    def first_true(self, mask: pl.Series) -> int | None:
        return int(mask.arg_max() or 0) if mask.any() else None


def standardise(table: Table, columns: Mapping[str, str | int] | None = None) -> pl.DataFrame:
    """The events as ``user_id, item_id[, rating][, timestamp][, split]``, checked row by row.

    ``rating`` becomes Float32, ``timestamp`` Int64 (dates as seconds since 1970, UTC), ids integers
    where every one of them is written as an integer, else text.

    Args:
        columns: role → the source's column name or 0-based position, where it is not the standard name.

    Raises:
        DataError: a column is missing, an id is null, a time or a rating is not a number; names the row.
    """
    names = _names(table, dict(columns or {}))
    if table.frame.is_empty():
        raise DataError(f"{table.name} holds no events; expected one row per event")
    given = {role: table.frame[name] for role, name in names.items()}
    result = [ids_of(table, names[role]).alias(STANDARD[role]) for role in ("user", "item")]
    if "rating" in given:
        result.append(_numbers(table, given["rating"], names["rating"], pl.Float32).alias("rating"))
    if "time" in given:
        result.append(_times(table, given["time"], names["time"]).alias("timestamp"))
    if "split" in given:
        result.append(given["split"].cast(pl.String).alias("split"))
    return pl.DataFrame(result)


def _names(table: Table, columns: dict[str, str | int]) -> dict[str, str]:
    """The source's column for each role; optional roles only where they exist."""
    existing = table.frame.columns
    names: dict[str, str] = {}
    for role, standard in STANDARD.items():
        wanted = columns.get(role, standard)
        if isinstance(wanted, int):
            if not 0 <= wanted < len(existing):
                raise DataError(
                    f"{table.name} has {len(existing)} columns, so data.columns.{role} = {wanted} does not exist; "
                    f"positions count from 0"
                )
            wanted = existing[wanted]
        if wanted in existing:
            names[role] = wanted
        elif role in columns or role in ("user", "item"):
            raise DataError(
                f"{table.name} has no column {wanted!r}{nearest(wanted, existing)} (found: {', '.join(existing)}); "
                f"name the {role} column with data.columns.{role}"
            )
    for role, name in names.items():
        if other := next((earlier for earlier, taken in names.items() if taken == name and earlier != role), None):
            raise DataError(f"data.columns.{other} and data.columns.{role} are both {name!r}; give each its own column")
    return names


def ids_of(table: Table, name: str) -> pl.Series:
    """A column of ids in canonical form.

    Raises:
        DataError: the type cannot hold ids, or an id is missing; names the first row.
    """
    ids = canonical(table.frame[name], f"{table.name} column {name!r}")
    row = table.first_true(ids.is_null())
    if row is not None:
        raise DataError(f"{table.place(row)}: {name} is empty; every row needs an id")
    if table.frame[name].dtype.is_float() and ids.dtype == pl.Int64 and (ids.abs() > EXACT).any():
        logger.info("%s column %r has floats above 2^53, where neighbouring integers are one number", table.name, name)
    return ids


def _numbers(table: Table, values: pl.Series, name: str, dtype: type[pl.DataType]) -> pl.Series:
    """Numbers, or a DataError that names the first row that is none."""
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Boolean, pl.Null)):
        raise DataError(f"{table.name} column {name!r} is of type {values.dtype}; expected numbers")
    numbers = values.cast(dtype, strict=False)
    bad = numbers.is_null() | (numbers.is_nan() if numbers.dtype.is_float() else False)
    row = table.first_true(bad)
    if row is not None:
        shown = "empty" if values[row] is None else repr(values[row])
        raise DataError(f"{table.place(row)}: {name} is {shown}; expected a number")
    return numbers


def _times(table: Table, values: pl.Series, name: str) -> pl.Series:
    """Int64 times: numbers as they are (fractions cut), dates and datetimes as seconds since 1970."""
    if values.dtype == pl.String:
        as_integers = values.cast(pl.Int64, strict=False)
        if not as_integers.has_nulls():
            return as_integers
        if values.drop_nulls().head(1).cast(pl.Float64, strict=False).has_nulls():
            parsed = values.str.to_datetime(strict=False, time_unit="us")
            if parsed.drop_nulls().is_empty():
                row = int(values.is_not_null().arg_max() or 0)
                raise DataError(
                    f"{table.place(row)}: {name} is {values[row]!r}; expected a number or a date (ISO 8601)"
                )
            unread = table.first_true(parsed.is_null())
            if unread is not None:
                raise DataError(f"{table.place(unread)}: {name} is {values[unread]!r}; expected a date like the others")
            return parsed.dt.epoch("s")
    if values.dtype.is_temporal():
        empty = table.first_true(values.is_null())
        if empty is not None:
            raise DataError(f"{table.place(empty)}: {name} is empty; expected a date")
        return values.cast(pl.Datetime("us")).dt.epoch("s")
    if values.dtype.is_integer() and not values.has_nulls():
        return values.cast(pl.Int64)
    whole = _numbers(table, values, name, pl.Float64).cast(pl.Int64, strict=False)
    unfit = table.first_true(whole.is_null())
    if unfit is not None:
        raise DataError(f"{table.place(unfit)}: {name} is {values[unfit]!r}; expected a number of at most 18 digits")
    return whole

"""A table as it was read, and which of its columns have a role."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import polars as pl

from recpair.data.ids import canonical
from recpair.errors import ConfigError, DataError, shown
from recpair.registry import nearest

Role = Literal["user", "item", "rating", "time", "split", "weight"]
STANDARD: dict[str, str] = {
    "user": "user_id",
    "item": "item_id",
    "rating": "rating",
    "time": "timestamp",
    "split": "split",
}
NO_VALUE = ("NULL", "null", "NaN", "nan", "NA", "N/A", "<NA>", "None", "\\N")  # how programs write a missing value
SEARCHED = 1000  # column names that a misspelt one is compared with


@dataclass(frozen=True)
class Table:
    """A frame with what is needed to name a place in it.

    Attributes:
        frame: text files give columns of text, other sources their own types.
        name: the file or object, for messages.
        unit: what a row is called there: ``line`` in text files, else ``row``.
        first: the number of the first row of data in that unit.
        columns: all columns of the source; the frame may have fewer.
        notes: what was assumed when it was read.
        number: the line of a row where lines and rows differ.
    """

    frame: pl.DataFrame
    name: str
    unit: str = "row"
    first: int = 1
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    number: Callable[[int], int] | None = None

    def place(self, row: int) -> str:
        return f"{self.name} {self.unit} {self.number(row) if self.number else row + self.first}"

    def with_frame(self, frame: pl.DataFrame, columns: Sequence[str]) -> "Table":
        return replace(self, frame=frame, columns=tuple(columns))

    def first_true(self, mask: pl.Series) -> int | None:
        return int(mask.arg_max() or 0) if mask.any() else None


def named_columns(columns: object) -> dict[str, str | int]:
    """Role → column, checked; a config's columns have been checked already, those of a library call are anything.

    Raises:
        ConfigError: it is not a mapping of roles to names or positions.
    """
    if columns is None:
        return {}
    roles = get_args(Role)
    if not isinstance(columns, Mapping) or not all(
        isinstance(role, str) and role in roles and isinstance(column, str | int) and not isinstance(column, bool)
        for role, column in columns.items()
    ):
        raise ConfigError(
            f"columns must map {', '.join(roles)} to the name or the 0-based position of a column, got {shown(columns)}"
        )
    return dict(columns)


def used(columns: Mapping[str, str | int], existing: Sequence[str]) -> list[str]:
    """The columns that have a role, in the order of the source."""
    names = set(STANDARD.values()) | {c for c in columns.values() if isinstance(c, str)}
    places = {c for c in columns.values() if isinstance(c, int)}
    return [name for place, name in enumerate(existing) if name in names or place in places]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names for a message: "a, b and 7 more"."""
    found = [name[:40] if name == name.strip() else repr(name[:40]) for name in names]
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more if found else "none"


def role_columns(table: Table, columns: Mapping[str, str | int]) -> dict[str, str]:
    """The source's column for each role; optional roles only where they exist.

    Raises:
        DataError: a column does not exist, or has two roles.
    """
    existing = table.columns or tuple(table.frame.columns)
    known = set(existing)
    mapped = {
        existing[column] if isinstance(column, int) and 0 <= column < len(existing) else column
        for column in columns.values()
    }
    names: dict[str, str] = {}
    for role in (*STANDARD, "weight"):
        wanted = columns.get(role, STANDARD.get(role))
        if isinstance(wanted, int):
            if not 0 <= wanted < len(existing):
                raise DataError(
                    f"{table.name} has {len(existing)} columns, so data.columns.{role} = {wanted} does not exist; "
                    f"positions count from 0"
                )
            wanted = existing[wanted]
        if wanted is None or (role not in columns and role not in ("user", "item") and wanted in mapped):
            continue
        if wanted in known:
            names[role] = wanted
        elif role in columns or role in ("user", "item"):
            raise DataError(
                f"{table.name} has no column {wanted!r}{nearest(wanted, existing[:SEARCHED])} "
                f"(found: {listed(existing)}); name the {role} column with data.columns.{role}"
                + (", or set data.header: false if line 1 is an event" if table.unit == "line" and not names else "")
            )
    for role, name in names.items():
        if other := next((earlier for earlier, taken in names.items() if taken == name and earlier != role), None):
            raise DataError(f"data.columns.{other} and data.columns.{role} are both {name!r}; give each its own column")
    return names


def ids_of(table: Table, name: str) -> pl.Series:
    """A column of ids in canonical form, none missing.

    Raises:
        DataError: the type cannot hold ids, or an id is missing; names the first row.
    """
    ids = canonical(table.frame[name], f"{table.name} column {name!r}")
    row = table.first_true(missing(ids))
    if row is not None:
        raise DataError(f"{table.place(row)}: {name} is empty; every row needs an id")
    return ids


def missing(values: pl.Series) -> pl.Series:
    """True where a value is missing: null, NaN or empty text."""
    if values.dtype == pl.String:
        return values.is_null() | (values == "").fill_null(value=True)
    return values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()

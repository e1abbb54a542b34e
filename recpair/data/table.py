"""Tables as read from a source, and the roles of their columns."""

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
NO_VALUE = ("NULL", "null", "NaN", "nan", "NA", "N/A", "<NA>", "None", "\\N")  # common spellings of a missing value
SEARCHED = 1000  # column names compared with a misspelt one


@dataclass(frozen=True)
class Table:
    """A frame with the information to locate its rows in messages.

    Attributes:
        frame: columns are text for text files, and keep their types for other sources.
        name: the file or object, for messages.
        unit: name of a row in messages: ``line`` for text files, else ``row``.
        first: the number of the first row of data in that unit.
        columns: all columns of the source; the frame may have fewer.
        notes: assumptions made in reading.
        number: function from a row to its line, if lines and rows differ.
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
    """Check and return role → column; columns of library calls may be any object, those of configs are valid.

    Raises:
        ConfigError: ``columns`` is not a mapping of roles to names or positions.
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
    """Return the columns with a role, in the order of the source."""
    names = set(STANDARD.values()) | {c for c in columns.values() if isinstance(c, str)}
    places = {c for c in columns.values() if isinstance(c, int)}
    return [name for place, name in enumerate(existing) if name in names or place in places]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Format names for a message: "a, b and 7 more"."""
    found = [name[:40] if name == name.strip() else repr(name[:40]) for name in names]
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more if found else "none"


def role_columns(table: Table, columns: Mapping[str, str | int]) -> dict[str, str]:
    """Return the column of each role in the source; optional roles only if they exist.

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
            raise DataError(
                f"data.columns.{other} and data.columns.{role} are both {name!r}; map each to a different column"
            )
    return names


def ids_of(table: Table, name: str) -> pl.Series:
    """Return a column of ids in canonical form, without missing values.

    Raises:
        DataError: the type cannot hold ids, or an id is missing; names the first row.
    """
    ids = canonical(table.frame[name], f"{table.name} column {name!r}")
    row = table.first_true(missing(ids))
    if row is not None:
        raise DataError(f"{table.place(row)}: {name} is empty; every row needs an id")
    return ids


def missing(values: pl.Series) -> pl.Series:
    """Mask of missing values: null, NaN or empty text."""
    if values.dtype == pl.String:
        return values.is_null() | (values == "").fill_null(value=True)
    return values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()

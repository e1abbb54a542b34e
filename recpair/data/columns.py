"""Columns of a file of events about which nothing is known yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from recpair.data.content import kind_of
from recpair.data.formats import TEXT_ENDINGS, read_table
from recpair.data.guessing import Columns
from recpair.data.header import header_of
from recpair.data.table import Table, listed
from recpair.errors import DataError, shown
from recpair.registry import nearest

SAMPLE = 100  # records that decide about the header


@dataclass(frozen=True)
class Look:
    """Columns of a file, and the treatment of its first line.

    Attributes:
        header: whether line 1 of a text file is a header; None for other formats.
        reason: reason for ``header``, if it is not certain.
    """

    columns: Columns
    header: bool | None = None
    reason: str = ""

    def reference(self, place: int) -> str | int:
        """Return a column for ``data.columns``: its name, or its position if it has none."""
        return self.columns.names[place] or place


def look_at(
    path: str | Path,
    *,
    separator: str | None = None,
    header: bool | Literal["auto"] | None = None,
    columns: Mapping[str, str | int] | None = None,
) -> Look:
    """Read all columns of a file.

    The first line of a text file is a header as ``header_of`` decides. If that is not certain, and the line has a value
    that occurs again in its column, it is an event.

    Args:
        columns: role → column, as far as they are known.

    Raises:
        DataError: the file cannot be read, or has no events.
    """
    if kind_of(Path(path)) not in TEXT_ENDINGS or Path(path).is_dir():
        return Look(_named(read_table(path, whole=True)))
    table = read_table(path, separator=separator, header=False, whole=True)
    records = [[value or "" for value in row] for row in table.frame.head(SAMPLE).iter_rows()]
    has_header, note = header_of(records, header, columns or {})
    reason = "" if note is None else note.partition(" of the columns")[0]
    if has_header and note is not None and _recurs(table.frame):
        has_header, reason = False, "line 1 is read as an event, as one of its values occurs again in its column"
    frame = table.frame.slice(int(has_header))
    if frame.is_empty():
        raise DataError(f"{path} has a header and no events; expected one row per event")
    names = records[0] if has_header else [""] * frame.width
    return Look(Columns(names, frame.get_columns(), str(path)), has_header, reason)


def places_of(look: Look, columns: Mapping[str, str | int]) -> dict[str, int]:
    """Return the position of each given column: role → position.

    Raises:
        DataError: a column does not exist, or has two roles.
    """
    names, source, found = list(look.columns.names), look.columns.source, dict[str, int]()
    for role, column in columns.items():
        if isinstance(column, int) and 0 <= column < len(names):
            place = column
        elif isinstance(column, str) and column in names and column:
            place = names.index(column)
        elif any(names):
            near = nearest(column, names) if isinstance(column, str) else ""
            raise DataError(
                f"{source} has no column {shown(column)}, given as data.columns.{role}{near} (found: {listed(names)})"
            )
        else:
            raise DataError(
                f"{source} has {len(names)} columns and no header, so data.columns.{role} cannot be {shown(column)}; give "
                f"a position from 0, or set data.header=true"
            )
        if other := next((earlier for earlier, taken in found.items() if taken == place), None):
            raise DataError(
                f"data.columns.{other} and data.columns.{role} are the same column; map each to another one"
            )
        found[role] = place
    return found


def _named(table: Table) -> Columns:
    return Columns(table.frame.columns, table.frame.get_columns(), table.name)


def _recurs(frame: pl.DataFrame) -> bool:
    """Return True if a value of the first row occurs again in its column."""
    return any(column[0] is not None and bool((column.slice(1) == column[0]).any()) for column in frame.get_columns())

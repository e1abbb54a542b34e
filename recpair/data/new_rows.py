"""Rows of new items, read with the columns and types of the table of the known items."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recpair.data.formats import read_table
from recpair.data.frames import as_polars
from recpair.data.table import Table, ids_of, listed, missing
from recpair.data.vocabulary import Ids
from recpair.errors import DataError
from recpair.registry import nearest

logger = logging.getLogger("recpair")

SEPARATOR = "|"  # of the entries of a list in a text file, as in tables that recpair writes


def read_new_rows(
    data: Any, keys: Sequence[str], ids: Ids, like: pl.DataFrame, required: Sequence[str]
) -> pl.DataFrame:
    """Return the rows of a frame or a file, with canonical ids and the columns and types of another item table.

    Columns that only the new rows have are dropped. A column of lists may be given as text, with entries separated by |.

    Args:
        data: a polars or pandas frame, or the path of a table in any format that ``data.items`` accepts.
        keys: possible names of the id column; the first that exists is used.
        ids: the known items.
        like: the table of the known items.
        required: columns that must exist.

    Raises:
        DataError: a column is missing, there are no rows, an id is missing or occurs twice, or a value has another type.
    """
    table = _table(data)
    key = next((name for name in keys if name in table.frame.columns), None)
    if key is None:
        raise DataError(f"{table.name}: no column {keys[0]!r} (found: {listed(table.columns)}); name the ids so")
    new = ids_of(table, key)
    if new.is_empty():
        raise DataError(f"{table.name}: no rows; expected one row per new item")
    place = pl.Series(ids.find(new))
    row = table.first_true(~new.is_first_distinct() | ((place >= 0) & ~place.is_first_distinct()))
    if row is not None:
        raise DataError(f"{table.place(row)}: {key} {new[row]!r} occurs twice; expected one row per new item")
    columns = [new.alias("item_id")]
    for name, kind in like.schema.items():
        if name == "item_id":
            continue
        if name in table.frame.columns:
            columns.append(_converted(table, name, kind))
        elif name in required:
            raise DataError(
                f"{table.name}: no column {name!r}, which the item table of the run has"
                f"{nearest(name, table.columns)} (found: {listed(table.columns)}); add it, empty if unknown"
            )
        else:
            columns.append(pl.Series(name, [None] * len(new), dtype=kind))
    return pl.DataFrame(columns)


def _table(data: Any) -> Table:
    if isinstance(data, str | Path):
        return read_table(Path(data).expanduser(), {}, header=True, whole=True)
    frame, columns = as_polars(data, "the new items")
    return Table(frame, "the new items", columns=columns)


def _converted(table: Table, name: str, kind: pl.DataType) -> pl.Series:
    """Return a column in the type ``kind``; empty text is a missing value."""
    column = table.frame[name]
    if column.dtype == kind:
        return column
    if column.dtype == pl.String and not isinstance(kind, pl.List):
        column = column.set(missing(column), None)
    if column.dtype == pl.String and isinstance(kind, pl.List):
        logger.info("%s: %s is split at %s into lists, as in the item table of the run", table.name, name, SEPARATOR)
        column = column.set(missing(column), None).str.split(SEPARATOR).list.eval(pl.element().str.strip_chars())
    elif isinstance(column.dtype, pl.List) != isinstance(kind, pl.List):
        raise DataError(f"{table.name} column {name!r} is of type {column.dtype}; expected {kind}, as in the run")
    try:
        found = column.cast(kind, strict=False)
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{table.name} column {name!r} is of type {column.dtype}; expected {kind}, as in the run"
        ) from None
    row = table.first_true(found.is_null() & ~column.is_null())
    if row is not None:
        raise DataError(f"{table.place(row)}: {name} is {str(column[row])[:60]!r}; expected {kind}, as in the run")
    return found

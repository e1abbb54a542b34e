"""Files of batch recommendation: reading of user ids, writing of tables."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recpair import files
from recpair.data.formats import read_table
from recpair.data.ids import canonical
from recpair.errors import DataError, RunError
from recpair.run import flat
from recpair.run.trained_ids import Kind

ENDINGS = (".csv", ".parquet", ".jsonl")

logger = logging.getLogger("recpair")


def check_output(path: Path) -> None:
    """Check that a table can be written to ``path``; called before the computation.

    Raises:
        DataError: the extension is not in ``ENDINGS``.
        RunError: the path is a folder, or its folder cannot be written to.
    """
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path} has the extension {path.suffix!r}; expected one of {', '.join(ENDINGS)}")
    if path.is_dir():
        raise RunError(f"{path} is a folder; give the name of a file")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise RunError(f"cannot write {path}: {parent} is not a folder; choose another folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise RunError(f"cannot write {path}: no permission to write to {parent}; choose another folder")


def read_users(path: Path, columns: Sequence[str] = ("user_id",)) -> pl.Series:
    """Read distinct user ids, as ``read_ids`` does."""
    return read_ids(path, "user", columns)


def read_ids(path: Path, kind: Kind, columns: Sequence[str], *, may_be_empty: bool = False) -> pl.Series:
    """Read distinct ids of users or items from a .txt file with one id per line, or from a column of a table.

    Rows without an id and repeated ids are dropped; their numbers are logged.

    Args:
        columns: names of the id column; the first one found is used.

    Raises:
        DataError: the file is missing, empty (unless ``may_be_empty``), or has no such column.
    """
    if path.is_file() and path.stat().st_size == 0:
        ids = pl.Series(f"{kind}_id", [], dtype=pl.String)
    elif path.suffix.lower() == ".txt" and path.is_file():
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8; save the file as UTF-8") from None
        ids = canonical(pl.Series(f"{kind}_id", [line for line in lines if line], dtype=pl.String), str(path))
    else:
        column = _column(path, read_table(path, header=True, whole=True, single=True).frame, columns, kind)
        ids = column.drop_nulls()
        if missing := len(column) - len(ids):
            logger.info("%s: rows without %s are left out (rows: %s)", path, column.name, f"{missing:,}")
    if ids.is_empty() and not may_be_empty:
        raise DataError(f"{path} contains no {kind}s; expected one id per line, or a column {' or '.join(columns)}")
    distinct = ids.unique(maintain_order=True)
    if repeated := len(ids) - len(distinct):
        logger.info("%s: duplicate ids are used once (rows: %s)", path, f"{repeated:,}")
    return distinct


def read_pairs(path: Path, users: Sequence[str], items: Sequence[str]) -> pl.DataFrame:
    """Read the user and item ids of a table, one pair per row: user_id, item_id.

    Args:
        users, items: names of the columns; the first one found is used.

    Raises:
        DataError: the file is missing or empty, lacks a column, or a row lacks an id.
    """
    table = read_table(path, header=True, whole=True).frame
    pairs = pl.DataFrame(
        {
            "user_id": _column(path, table, users, "user"),
            "item_id": _column(path, table, items, "item"),
        }
    )
    if pairs.is_empty():
        raise DataError(f"{path} has no rows; expected a user and an item in each row")
    if (incomplete := pairs.with_row_index().filter(pl.any_horizontal(pl.all().is_null()))).height:
        row = incomplete["index"][0] + 1
        raise DataError(f"{path}, row {row:,}: expected a user and an item, one is missing; complete or remove the row")
    return pairs


def _column(path: Path, frame: pl.DataFrame, columns: Sequence[str], kind: Kind) -> pl.Series:
    """Return the ids of a column in canonical form; null if missing."""
    found = [column for column in columns if column in frame.columns]
    if not found:
        raise DataError(
            f"{path} has no column {' or '.join(map(repr, columns))} (found: {', '.join(frame.columns)[:160]}); "
            f"rename the column of the {kind}s"
        )
    if len(found) > 1:
        logger.info("%s: the %ss are read from column %s, not %s", path, kind, found[0], found[1])
    column = frame[found[0]]
    if column.dtype == pl.String:
        column = column.set(column == "", None)
    return canonical(column, f"{path} column {found[0]!r}")


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a CSV, Parquet or JSON lines file under a temporary name, then rename it.

    In CSV files, lists are joined with ``|``, and other nested values are written as JSON.
    """
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda partial: flat.for_csv(frame, path.name).write_csv(partial),
        ".parquet": frame.write_parquet,
        ".jsonl": lambda partial: flat.for_json_lines(frame).write_ndjson(partial),
    }
    files.write(path, writers[path.suffix.lower()])

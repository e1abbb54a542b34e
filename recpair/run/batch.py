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
    """Read distinct user ids from a .txt file with one id per line, or from a column of a table.

    Rows without an id and repeated ids are dropped; their numbers are logged.

    Args:
        columns: names of the id column; the first one found is used.

    Raises:
        DataError: the file is missing or empty, or has no such column.
    """
    if path.is_file() and path.stat().st_size == 0:
        users = pl.Series("user_id", [], dtype=pl.String)
    elif path.suffix.lower() == ".txt" and path.is_file():
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8; save the file as UTF-8") from None
        users = canonical(pl.Series("user_id", [line for line in lines if line], dtype=pl.String), str(path))
    else:
        users = _column(path, columns)
    if users.is_empty():
        raise DataError(f"{path} contains no users; expected one id per line, or a column {' or '.join(columns)}")
    distinct = users.unique(maintain_order=True)
    if repeated := len(users) - len(distinct):
        logger.info("%s: duplicate ids are used once (rows: %s)", path, f"{repeated:,}")
    return distinct


def _column(path: Path, columns: Sequence[str]) -> pl.Series:
    frame = read_table(path, header=True, whole=True, single=True).frame
    found = [column for column in columns if column in frame.columns]
    if not found:
        raise DataError(
            f"{path} has no column {' or '.join(map(repr, columns))} (found: {', '.join(frame.columns)[:160]}); "
            f"rename the column of the users"
        )
    if len(found) > 1:
        logger.info("%s: the users are read from column %s, not %s", path, found[0], found[1])
    column = frame[found[0]]
    if column.dtype == pl.String:
        column = column.filter(column != "")
    users = canonical(column, f"{path} column {found[0]!r}").drop_nulls()
    if missing := len(frame) - len(users):
        logger.info("%s: rows without %s are left out (rows: %s)", path, found[0], f"{missing:,}")
    return users


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

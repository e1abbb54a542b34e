"""Recommendations from file to file: who is asked for, and the table that is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from recpair.data.formats import read_table
from recpair.data.ids import keys
from recpair.errors import DataError
from recpair.serving import run_folder as files

ENDINGS = (".csv", ".parquet", ".jsonl")


def check_ending(path: Path) -> None:
    """Raise a DataError unless the path's ending says how to write it."""
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path} has the ending {path.suffix!r}; expected one of {', '.join(ENDINGS)}")


def read_users(path: Path) -> pl.Series:
    """User ids from a .txt file with one a line, or from a table's user_id column.

    Raises:
        DataError: the file is missing or empty, or has no such column.
    """
    if path.suffix.lower() == ".txt" and path.is_file():
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8; save the file as UTF-8") from None
        users = pl.Series("user_id", [line for line in lines if line], dtype=pl.String)
    else:
        users = _column(path)
    if users.is_empty():
        raise DataError(f"{path} names no users; expected one id a line, or a user_id column")
    return users.unique(maintain_order=True)


def _column(path: Path) -> pl.Series:
    if path.is_file() and path.suffix.lower() == ".csv":  # a table of one column has no delimiter
        try:
            frame = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True, glob=False)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{path} is no readable csv file ({' '.join(str(error).split())[:160]})") from None
    else:
        frame = read_table(path).frame
    if "user_id" not in frame.columns:
        raise DataError(
            f"{path} has no column 'user_id' (found: {', '.join(frame.columns)}); rename the column of the users"
        )
    return keys(frame["user_id"], f"{path} column 'user_id'").drop_nulls()


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write a csv, Parquet or JSON lines file under a temporary name, then rename it."""
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": frame.write_csv,
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
    }
    files.write(path, writers[path.suffix.lower()])

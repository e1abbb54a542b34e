"""Readers of event files and side tables, one per format, chosen by the file's ending."""

import csv
from pathlib import Path

import polars as pl

from recpair.data.table import Table
from recpair.errors import DataError

DELIMITERS = ("::", "\t", ",", ";", "|")
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat")
ATOMIC_ENDINGS = (".inter", ".item", ".user")
JSON_ENDINGS = (".jsonl", ".ndjson")
PARQUET_ENDINGS = (".parquet", ".pq")


def read_table(path: str | Path, *, separator: str | None = None, has_header: bool | None = None) -> Table:
    """A file, or a folder of Parquet files, as a table.

    csv, tsv, txt and dat files are read as text columns, the delimiter and the header found where they
    are not given; ``.inter``, ``.item`` and ``.user`` are RecBole's atomic files, whose header has types.

    Raises:
        DataError: the file is missing, empty, of unknown kind, ragged or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; give the path of an event file")
    if path.is_dir():
        return _parquet(path)
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; expected one row per event")
    ending = path.suffix.lower()
    if ending in PARQUET_ENDINGS:
        return _parquet(path)
    if ending in JSON_ENDINGS:
        return _json_lines(path)
    if ending in ATOMIC_ENDINGS:
        return _atomic(path)
    if ending in TEXT_ENDINGS:
        return _delimited(path, separator, has_header)
    known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS, *ATOMIC_ENDINGS))
    raise DataError(f"{path} has an unknown ending; expected one of {known}, or a folder of Parquet files")


def _parquet(path: Path) -> Table:
    if path.is_dir() and not any(path.glob("*.parquet")):
        raise DataError(f"folder {path} holds no .parquet file; give a file, or a folder of Parquet files")
    try:
        frame = pl.read_parquet(path / "*.parquet" if path.is_dir() else path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no readable Parquet file ({_one_line(error)}); write it again") from None
    return Table(frame, str(path))


def _json_lines(path: Path) -> Table:
    try:
        frame = pl.read_ndjson(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} holds a line that is no JSON object ({_one_line(error)})") from None
    return Table(frame, str(path), "line")


def _atomic(path: Path) -> Table:
    """RecBole's format: tabs, and a header of ``name:type``; the types are ours to find out."""
    table = _delimited(path, "\t", True)
    return Table(
        table.frame.rename({name: name.partition(":")[0] for name in table.frame.columns}),
        table.name,
        table.unit,
        table.first,
    )


def _delimited(path: Path, separator: str | None, has_header: bool | None) -> Table:
    head = _first_line(path)
    separator = separator or next((d for d in DELIMITERS if d in head), ",")
    fields = head.split(separator)
    if has_header is None:
        has_header = not any(_is_number(field) for field in fields)
    if len(fields) < 2:
        raise DataError(f"{path} line 1 has one column when split at {separator!r}; give data.separator")
    source: Path | bytes = path
    if len(separator) > 1:  # polars splits at one byte
        source = _text(path).replace(separator, "\x1f").encode()
        separator = "\x1f"
    quote = '"' if separator == "," and '"' in head + _sample(path) else None
    try:
        frame = pl.read_csv(
            source, separator=separator, has_header=has_header, infer_schema=False, quote_char=quote, encoding="utf8"
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(_ragged(path, separator, len(fields)) or f"{path} cannot be read: {_one_line(error)}") from None
    if not has_header:
        frame.columns = list(_positional(len(frame.columns)))
    if frame.columns and len(frame) and frame[frame.columns[-1]].has_nulls():
        short = _ragged(path, separator, len(fields))
        if short:
            raise DataError(short)
    return Table(frame, str(path), "line", 2 if has_header else 1)


def _positional(n: int) -> tuple[str, ...]:
    """Names for a file without a header: the usual order, then numbers."""
    usual = ("user_id", "item_id", "rating", "timestamp")
    return (*usual[:n], *(f"column_{i}" for i in range(len(usual), n)))


def _ragged(path: Path, separator: str, expected: int) -> str | None:
    """A message on the first line that does not have the header's number of fields, if there is one."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        if separator == "\x1f":
            return None
        for row in (reader := csv.reader(file, delimiter=separator)):
            if row and len(row) != expected:
                return f"{path} line {reader.line_num} has {len(row)} fields, but line 1 has {expected}; mend the line"
    return None


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(1_000_000)
    return line.decode("utf-8-sig", errors="replace").rstrip("\r\n")


def _sample(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(1_000_000).decode("utf-8", errors="replace")


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]

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
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist; check the path")
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
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"folder {path} holds no .parquet file; give a file, or a folder of Parquet files")
    for file in files:
        try:
            schema = pl.read_parquet_schema(file)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{file} is no readable Parquet file ({_one_line(error)}); write it again") from None
        if file == files[0]:
            expected = schema
        elif strange := sorted(set(schema.items()) ^ set(expected.items()), key=str):
            raise DataError(
                f"{file} and {files[0]} differ in column {strange[0][0]!r}; expected the same names and types"
            )
    try:
        frame = pl.read_parquet(files, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no readable Parquet file ({_one_line(error)}); write it again") from None
    return Table(frame, str(path))


def _json_lines(path: Path) -> Table:
    try:
        frame = pl.read_ndjson(path.read_bytes(), infer_schema_length=None)  # a path would be a pattern
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} holds a line that is no JSON object ({_one_line(error)})") from None
    return Table(frame, str(path), "line")


def _atomic(path: Path) -> Table:
    """RecBole's format: tabs, and a header of ``name:type``; the types are ours to find out."""
    table = _delimited(path, "\t", True)
    names = [name.partition(":")[0] for name in table.frame.columns]
    _refuse_repeated(path, names)
    return Table(
        table.frame.rename(dict(zip(table.frame.columns, names, strict=True))), table.name, table.unit, table.first
    )


def _delimited(path: Path, separator: str | None, has_header: bool | None) -> Table:
    head, sample = _first_line(path), _sample(path)
    if "\0" in sample:
        raise DataError(f"{path} is no text in UTF-8 (it holds zero bytes); unpack it, or save it as UTF-8")
    separator = separator or next((d for d in DELIMITERS if d in head), ",")
    quote = '"' if (separator == "," and '"' in head + sample) or head.startswith('"') else None
    fields = next(csv.reader([head], delimiter=separator)) if quote and len(separator) == 1 else head.split(separator)
    if has_header is None:
        has_header = not any(_is_number(field) for field in fields)
    if len(fields) < 2:
        raise DataError(f"{path} line 1 has one column when split at {separator!r}; give data.separator")
    if has_header:
        _refuse_repeated(path, fields)
    source: Path | bytes = path
    if len(separator) > 1:  # polars splits at one byte
        source = _text(path).replace(separator, "\x1f").encode()
    split = separator if len(separator) == 1 else "\x1f"
    try:
        frame = pl.read_csv(
            source,
            separator=split,
            has_header=has_header,
            infer_schema=False,
            quote_char=quote,
            encoding="utf8",
            glob=False,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        wrong = _not_utf8(path) or _ragged(path, separator, quote, len(fields))
        raise DataError(wrong or f"{path} cannot be read: {_one_line(error)}") from None
    if not has_header:
        frame.columns = list(_positional(len(frame.columns)))
    if frame.columns and len(frame) and frame[frame.columns[-1]].has_nulls():
        short = _ragged(path, separator, quote, len(fields))
        if short:
            raise DataError(short)
    return Table(frame, str(path), "line", 2 if has_header else 1)


def _refuse_repeated(path: Path, names: list[str]) -> None:
    if repeated := [name for place, name in enumerate(names) if name in names[:place]]:
        raise DataError(f"{path} line 1 names column {repeated[0]!r} twice; rename one of them")


def _positional(n: int) -> tuple[str, ...]:
    """Names for a file without a header: the usual order, then numbers."""
    usual = ("user_id", "item_id", "rating", "timestamp")
    return (*usual[:n], *(f"column_{i}" for i in range(len(usual), n)))


def _ragged(path: Path, separator: str, quote: str | None, expected: int) -> str | None:
    """A message on the first line that does not have the header's number of fields, if there is one."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        if quote and len(separator) == 1:
            reader = csv.reader(file, delimiter=separator)
            rows = ((reader.line_num, len(row)) for row in reader if row)
        else:
            lines = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, start=1))
            rows = ((number, line.count(separator) + 1) for number, line in lines if line)
        for number, found in rows:
            if found != expected:
                fields = "1 field" if found == 1 else f"{found} fields"
                return f"{path} line {number} has {fields}, but line 1 has {expected}; mend the line"
    return None


def _not_utf8(path: Path) -> str | None:
    """A message on the first line that is not UTF-8, if there is one."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f"{path} line {number} is not UTF-8; save the file as UTF-8"
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

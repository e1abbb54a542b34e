"""Readers of event files and side tables, one per format, selected by the file extension."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from recpair.data.content import PACKED, Content, kind_of, one_line, read_content
from recpair.data.delimited import read_delimited, refuse_repeated
from recpair.data.header import Header
from recpair.data.table import Table, used
from recpair.errors import DataError

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat")
ATOMIC_ENDINGS = (".inter", ".item", ".user")
JSON_ENDINGS = (".jsonl", ".ndjson")
PARQUET_ENDINGS = (".parquet", ".pq")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def read_table(
    path: str | Path,
    columns: Mapping[str, str | int] | None = None,
    *,
    separator: str | None = None,
    header: Header = None,
    whole: bool = False,
    single: bool = False,
) -> Table:
    """Read a file, or a folder of Parquet files, as a table.

    csv, tsv, txt and dat files are read as text columns; separator and header are detected if not given.
    ``.inter``, ``.item`` and ``.user`` are RecBole's atomic files, whose header contains types.
    Text and JSON lines may be compressed (``.gz``, ``.zst``, ``.bz2``). In a folder, ``name=value`` in the path
    of a Parquet file becomes a text column.

    Args:
        columns: role → column, for selecting the columns to read and detecting a header.
        separator, header: options of text files.
        whole: read all columns, including those without a role.
        single: accept a text file of one column.

    Raises:
        DataError: the file is missing, empty, of unknown format, ragged or damaged.
    """
    columns = {} if columns is None else columns
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist; check the path")
    ending = kind_of(path)
    if path.is_dir() or (ending in PARQUET_ENDINGS and path.suffix.lower() == ending):
        return _parquet(path, columns, whole)
    if ending in JSON_ENDINGS:
        return _json_lines(path, read_content(path))
    if ending in ATOMIC_ENDINGS:
        return _atomic(path, columns, whole)
    if ending in TEXT_ENDINGS:
        return read_delimited(path, read_content(path), separator, header, columns, whole=whole, single=single)
    known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS, *ATOMIC_ENDINGS))
    raise DataError(
        f"{path} has an unknown extension; expected one of {known} (all but Parquet also with {', '.join(PACKED)}), "
        f"or a folder of Parquet files"
    )


def _parquet(path: Path, columns: Mapping[str, str | int], whole: bool) -> Table:
    files = _parquet_files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"folder {path} holds no .parquet file; give a file, or a folder of Parquet files")
    parts: list[dict[str, str | None]] = []
    expected: dict[str, pl.DataType] = {}
    for file in files:
        try:
            schema = dict(pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema())
        except UNREADABLE as error:
            raise DataError(f"{file} is not a readable Parquet file ({one_line(error)}); write it again") from None
        if not parts:
            expected = schema
        elif strange := sorted(set(schema.items()) ^ set(expected.items()), key=str):
            raise DataError(
                f"{file} and {files[0]} differ in column {strange[0][0]!r}; expected the same names and types"
            )
        parts.append({name: value for name, value in _partition(path, file).items() if name not in schema})
        if set(parts[-1]) != set(parts[0]):
            raise DataError(f"{file} and {files[0]} lie in folders of different columns; expected the same name=value")
    names = [*expected, *parts[0]]
    wanted = names if whole else used(columns, names)
    stored = [name for name in wanted if name in expected]
    try:
        if not parts[0]:
            frame = pl.read_parquet(files, columns=stored, glob=False, hive_partitioning=False)
        else:
            frame = pl.concat(
                [_partitioned(file, stored, wanted, part) for file, part in zip(files, parts, strict=True)]
            )
    except UNREADABLE as error:
        raise DataError(f"{path} is not a readable Parquet file ({one_line(error)}); write it again") from None
    return Table(frame, str(path), columns=tuple(names))


def _parquet_files(folder: Path) -> list[Path]:
    """Return all Parquet files below a folder, except hidden and temporary ones (``_temporary``)."""
    found = []
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        if file.suffix.lower() in PARQUET_ENDINGS and file.is_file() and not any(p[0] in "._" for p in inside):
            found.append(file)
    return found


def _partition(folder: Path, file: Path) -> dict[str, str | None]:
    """Return the columns in the folder names of a file, as in ``split=train/part-0.parquet`` (Hive layout)."""
    pairs = [part.partition("=") for part in file.relative_to(folder).parts[:-1] if "=" in part]
    return {unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in pairs}


def _partitioned(file: Path, stored: list[str], wanted: list[str], part: Mapping[str, str | None]) -> pl.DataFrame:
    frame = pl.read_parquet(file, columns=stored, glob=False, hive_partitioning=False)
    added = [pl.lit(value, dtype=pl.String).alias(name) for name, value in part.items() if name in wanted]
    return frame.with_columns(added).select(wanted)


def _json_lines(path: Path, content: Content) -> Table:
    try:
        text = content[len(BYTE_ORDER_MARK) if content[:3] == BYTE_ORDER_MARK else 0 :]
        frame = pl.read_ndjson(text, infer_schema_length=None)  # not the path, which is interpreted as a pattern
    except UNREADABLE as error:
        raise DataError(
            f"{path} holds a line that is not a JSON object ({one_line(error)}); correct the line"
        ) from None
    return Table(frame, str(path), "line", number=lambda row: _filled_line(content, row))


def _filled_line(content: Content, row: int) -> int:
    """Return the line number of a row; blank lines are skipped."""
    filled = (number for number, line in enumerate(content[:].split(b"\n"), start=1) if line.strip())
    return next(islice(filled, row, None))


def _atomic(path: Path, columns: Mapping[str, str | int], whole: bool) -> Table:
    """Read RecBole's format: tab-separated, with a header of ``name:type``; the types are ignored."""
    content = read_content(path)
    table = read_delimited(path, content, "\t", header=True, columns=columns, whole=True)
    names = [name.partition(":")[0] for name in table.columns]
    refuse_repeated(path, names)
    frame = table.frame.rename(dict(zip(table.frame.columns, names, strict=True)))
    return table.with_frame(frame if whole else frame.select(used(columns, names)), names)

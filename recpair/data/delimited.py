"""Text files of delimited values, following RFC 4180 with any separator."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow

from recpair.data.content import Content, one_line
from recpair.data.header import Header, header_of, positional
from recpair.data.table import Table, used
from recpair.errors import ConfigError, DataError

DELIMITERS = ("::", "\t", ",", ";", "|")
STAND_IN = "\x1f"  # replaces separators of more than one byte
SAMPLE = 100  # lines used to detect the separator and the header
HEAD = 2**20  # bytes
BLOCK = 2**24
LARGEST_BLOCK = 2**31 - 1
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
QUOTE, NEWLINES = ord('"'), b"\r\n"

csv.field_size_limit(LARGEST_BLOCK)  # the default refuses fields of more than 128 KiB


@dataclass(frozen=True)
class Lines:
    """Records of a text, each with the number of its first line; blank lines are skipped."""

    content: Content
    separator: str
    quoted: bool

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        lines = _decoded(self.content)
        if not self.quoted:
            for number, line in enumerate(lines, start=1):
                if text := line.rstrip("\r\n"):
                    yield number, text.split(self.separator)
            return
        reader = csv.reader(lines, delimiter=self.separator)
        start = 1
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1

    def number(self, record: int) -> int:
        """Return the number of the first line of a record (from 0)."""
        return next(islice(self, record, None))[0]


def read_delimited(
    path: Path,
    content: Content,
    separator: str | None,
    header: Header,
    columns: Mapping[str, str | int],
    *,
    whole: bool = False,
    single: bool = False,
) -> Table:
    """Read a text as a table of text columns; empty values are null.

    A value in double quotes may contain the separator, line breaks and doubled quotes. If a quote does not enclose a
    whole value, quotes are read as text (with a note) in files with tabs or a separator of several characters.

    Args:
        separator: detected from the first lines if None.
        columns: role → column; only columns with a role are read.
        whole: read all columns.
        single: accept a file of one column.

    Raises:
        DataError: a line is not UTF-8, has a different number of fields, or a stray quote; names the first such line.
    """
    if content.find(b"\0") >= 0:
        raise DataError(f"{path} is not text in UTF-8 (it holds zero bytes); unpack it, or save it as UTF-8")
    if content.find(b"\n") < 0 and content.find(b"\r") >= 0:
        content = content[:].replace(b"\r", b"\n")
    head = _head(content)
    separator = _separator(head, separator)
    notes = []
    quoted = len(separator.encode()) == 1 and content.find(b'"') >= 0
    if quoted and (stray := _stray_quote(content, separator)) is not None:
        if separator != "\t":
            raise DataError(
                f"{path} line {stray} has a quote that does not enclose a whole value; write quotes inside a quoted "
                f"value twice"
            )
        notes.append(f"{path} line {stray} has a quote that does not enclose a whole value; quotes are read as text")
        quoted = False
    lines = Lines(content, separator, quoted)
    sample = [record for _, record in islice(Lines(head, separator, quoted), SAMPLE)]
    if not sample:
        raise DataError(f"{path} is empty; expected one row per event")
    if len(sample[0]) < 2 and not single:
        raise DataError(f"{path} line 1 has one column when split at {separator!r}; give data.separator")
    has_header, note = header_of(sample, header, columns)
    names = sample[0] if has_header else list(positional(sample))
    if note:
        notes.append(f"{path} {note}")
    if has_header:
        refuse_repeated(path, names)
    wanted = names if whole else used(columns, names)
    frame = _parsed(path, lines, len(names), [names.index(name) for name in wanted])
    frame.columns = [name or f"column_{names.index(name)}" for name in wanted]
    first = int(has_header)
    return Table(
        frame.slice(first), str(path), "line", 1, tuple(names), tuple(notes), lambda row: lines.number(row + first)
    )


def refuse_repeated(path: Path, names: list[str]) -> None:
    """Raise a DataError if the header repeats a name."""
    seen: set[str] = set()
    for name in names:
        if name in seen and name:
            raise DataError(f"{path} line 1 names column {name[:60]!r} twice; rename one of them")
        seen.add(name)


def _parsed(path: Path, lines: Lines, width: int, places: list[int]) -> pl.DataFrame:
    content, separator = lines.content, lines.separator
    if len(separator.encode()) > 1:
        content, separator = content[:].replace(separator.encode(), STAND_IN.encode()), STAND_IN
    all_names = list(map(str, range(width)))
    names = [all_names[place] for place in places]
    if not names:  # pyarrow would read all columns
        return pl.DataFrame()
    convert = arrow.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
        quoted_strings_can_be_null=True,
    )
    parse = arrow.ParseOptions(
        delimiter=separator, quote_char='"' if lines.quoted else False, newlines_in_values=lines.quoted
    )
    sizes = [BLOCK, min(len(content), LARGEST_BLOCK)]
    for size in sizes:
        try:
            table = arrow.read_csv(
                pa.BufferReader(pa.py_buffer(content)),
                arrow.ReadOptions(column_names=all_names, block_size=size),
                parse,
                convert,
            )
            frame = pl.from_arrow(table)
        except pa.ArrowException as error:
            if size == sizes[0] < sizes[1] and "block" in str(error):  # a line longer than a block
                continue
            wrong = _not_utf8(path, content) or _ragged(path, lines, width)
            raise DataError(wrong or f"{path} cannot be read: {one_line(error)}") from None
        break
    assert isinstance(frame, pl.DataFrame)
    return frame


def _head(content: Content) -> bytes:
    """Return the complete lines of the first megabyte, at least two."""
    size = content.rfind(b"\n", 0, HEAD) + 1 or content.find(b"\n", content.find(b"\n") + 1) + 1
    return content[: size or len(content)]


def _separator(content: Content, given: str | None) -> str:
    if given is not None:
        if not given or set(given) & set('"\r\n'):
            raise ConfigError(f"data.separator is {given!r}; expected a character such as ',' or '\\t', or several")
        return given
    present = []
    for separator in DELIMITERS:
        records = [record for _, record in islice(Lines(content, separator, len(separator) == 1), SAMPLE)]
        widths = {len(record) for record in records}
        if len(widths) == 1 and widths != {1}:
            return separator
        if records and len(records[0]) > 1:
            present.append(separator)
    return (*present, ",")[0]


def _stray_quote(content: Content, separator: str) -> int | None:
    """Return the line of the first quote that neither encloses a value nor is doubled inside one, or None."""
    if _encloses(np.frombuffer(content, dtype=np.uint8), separator):
        return None
    reader = csv.reader(_decoded(content), delimiter=separator, strict=True)
    start = 1
    try:
        for _ in reader:
            start = reader.line_num + 1
    except csv.Error:
        return start
    return None


def _encloses(data: np.ndarray, separator: str) -> bool:
    """Return True if odd quotes follow the start of a value or a quote, and even quotes precede an end or a quote."""
    ends = np.array([QUOTE, ord(separator), *NEWLINES], dtype=np.uint8)
    first, last = 3 * (data[:3].tobytes() == b"\xef\xbb\xbf"), len(data) - 1
    count = 0
    for start in range(0, len(data), BLOCK):
        places = np.flatnonzero(data[start : start + BLOCK] == QUOTE) + start
        opening, closing = places[count % 2 :: 2], places[1 - count % 2 :: 2]
        opens = (opening == first) | np.isin(data[np.maximum(opening - 1, 0)], ends)
        closes = (closing == last) | np.isin(data[np.minimum(closing + 1, last)], ends)
        if not (opens.all() and closes.all()):
            return False
        count += len(places)
    return count % 2 == 0


def _ragged(path: Path, lines: Lines, expected: int) -> str | None:
    """Return a message on the first line whose number of fields differs from that of line 1, or None."""
    for number, record in lines:
        if len(record) != expected:
            fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
            return f"{path} line {number} has {fields}, but line 1 has {expected}; correct the line"
    return None


def _not_utf8(path: Path, content: Content) -> str | None:
    """Return a message on the first line that is not UTF-8, or None."""
    for number, line in enumerate(_raw(content), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return f"{path} line {number} is not UTF-8; save the file as UTF-8"
    return None


def _decoded(content: Content) -> Iterator[str]:
    """Yield the lines including their ends: a line feed, a carriage return, or both."""
    for number, line in enumerate(_raw(content)):
        text = line.decode("utf-8" if number else "utf-8-sig", errors="replace")
        if "\r" in text[:-2]:
            yield from LINE.findall(text)
        else:
            yield text


def _raw(content: Content) -> Iterable[bytes]:
    view = io.BytesIO(content) if isinstance(content, bytes) else content
    view.seek(0)
    place = 0
    while line := view.readline():
        place += len(line)
        yield line
        view.seek(place)  # another reader may have moved the position

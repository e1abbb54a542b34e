"""Detection of header lines in text files."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from recpair.data.table import STANDARD

Header = bool | Literal["auto"] | None
DATA = re.compile(r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?)\s*$")
EARLIEST = 631_152_000  # 1990 in seconds since 1970
USUAL = ("user_id", "item_id", "rating", "timestamp")


def positional(sample: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return column names for a file without a header: ``USUAL``, then numbered; the third of three may be a time."""
    n = len(sample[0])
    if n == len(USUAL) - 1 and all(_is_time(row[-1]) for row in sample if len(row) == n):
        return (*USUAL[:2], USUAL[-1])
    return (*USUAL[:n], *(f"column_{i}" for i in range(len(USUAL), n)))


def _is_time(field: str) -> bool:
    """Return True if a value is a date, or a number too large for a rating."""
    if not DATA.match(field):
        return False
    try:
        return float(field) >= EARLIEST
    except ValueError:
        return True


def header_of(
    sample: Sequence[Sequence[str]], header: Header, columns: Mapping[str, str | int]
) -> tuple[bool, str | None]:
    """Return True if the first record is a header, and a note if this is uncertain.

    It is certain if ``header`` is given, or the record contains a standard name or a name of ``columns``. Otherwise the
    record is a header if the values below differ in kind (numbers or dates below words), and an event if it contains a
    number or date. If all values are words, it is an event if ``columns`` contains positions, else a header.

    Args:
        sample: the first records of the file.
        columns: role → name or position of the column.
    """
    if isinstance(header, bool):
        return header, None
    first, rows = sample[0], sample[1:]
    named = {column for column in columns.values() if isinstance(column, str)}
    if set(first) & (named | set(STANDARD.values())):
        return True, None
    shown = ", ".join(field[:20] for field in first[:4])
    numbers = [place for place, field in enumerate(first) if DATA.match(field)]
    same_width = [row for row in rows if len(row) == len(first)]
    below = {place: [bool(DATA.match(row[place])) for row in same_width if row[place]] for place in range(len(first))}
    if any(below[place] and all(below[place]) for place in range(len(first)) if place not in numbers and first[place]):
        return True, f"line 1 ({shown}) is read as a header, as numbers or dates stand below words"
    counted = list(map(str, range(len(first))))
    if list(first) == counted and any(below[place] and not any(below[place]) for place in numbers):
        return True, f"line 1 ({shown}) is read as a header, as words stand below its numbers"
    names = ", ".join(positional(sample)[:6])
    event = f"is read as an event of the columns {names}; if it names the columns, set data.header: true"
    if numbers:
        return False, f"line 1 ({shown}) holds a number or date and {event}"
    if any(isinstance(column, int) for column in columns.values()):
        return False, f"line 1 ({shown}) {event}"
    return True, f"line 1 ({shown}) is read as a header; if it is an event, set data.header: false"

"""Canonical form of external ids, the same for reading and lookup.

An id is an integer or text. The form of a value depends only on that value:

- whole numbers of any type (1, 1.0, Decimal("1.00"), np.uint8(1), -0.0) are integers, or the text of their digits if
  they do not fit 64 bits;
- other numbers are their shortest decimal text ("1.5"), booleans "true" and "false", bytes their UTF-8 text;
- text is unchanged: "007", "1e3", "+1" and " 1 " (with its blanks) are not integers.

Ids are compared by their text, so "22" is the integer 22. Only when a column is *read* (``canonical``) does the form
depend on all values: a text column of only integers ("22"), or of only whole numbers as floats are written ("22.0"),
is read as integers.
"""

import decimal
import math
import numbers
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import polars as pl

from recpair.errors import DataError

INTEGER = r"^(0|-?[1-9]\d{0,17})$"
WHOLE = r"^-?(0|[1-9]\d{0,17})\.0$"
BEYOND_INT128 = 2.0**127  # larger floats are text with an exponent
EXACT = 2.0**53  # integers up to this value are exact as floats
EXPECTED = "expected numbers or text as ids"


def canonical(column: pl.Series, what: str) -> pl.Series:
    """Return the ids of a column that is read, as Int64 or String, null if missing (NaN included).

    Args:
        column: numbers or text of any type.
        what: name of the column in messages.

    Raises:
        DataError: the type cannot hold ids, or bytes are not UTF-8.
    """
    ids = keys(column, what)
    if ids.dtype == pl.String and len(ids) > ids.null_count():
        for pattern, form in ((INTEGER, ids), (WHOLE, ids.str.strip_suffix(".0"))):
            if ids.head(100).str.contains(pattern).all() and ids.str.contains(pattern).all():
                return form.cast(pl.Int64)
    return ids


def keys(column: pl.Series, what: str) -> pl.Series:
    """Return the canonical form of each value separately: Int64 if all fit, else String; null for NaN.

    Raises:
        DataError: the type cannot hold ids, or bytes are not UTF-8.
    """
    kind = column.dtype
    if kind == pl.Object:
        column = as_column(column.to_list(), what)
        kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_integer():
        return _integers_or_text(column)
    if kind.is_float():
        return _of_floats(column.fill_nan(None))
    if kind.is_decimal():
        text = column.cast(pl.String).str.replace(r"(\.\d*?)0+$", "$1").str.strip_suffix(".")
        return text.cast(pl.Int64) if text.str.contains(INTEGER).all() else text
    if kind == pl.Binary:
        return _of_bytes(column, what)
    if kind in (pl.Boolean, pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    raise DataError(f"{what} is of type {kind}; {EXPECTED}")


def as_column(ids: Any, what: str) -> pl.Series:
    """Convert ids in any list, array, series or other iterable to a series of one type.

    Raises:
        DataError: ``ids`` is a single value, or a value is neither a number nor text.
    """
    if isinstance(ids, pl.Series):
        return ids
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise DataError(f"{what} is {_shown(ids)}; expected a list or column of ids")
    if isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype.kind in "iufU":
        return pl.Series(ids)
    read: Callable[[], list[Any]] | None = getattr(ids, "to_pylist", None) or getattr(ids, "tolist", None)
    values = list(ids) if read is None else read()
    types = set(map(type, values)) - {type(None)}
    try:
        if types == {str}:
            return pl.Series(values, dtype=pl.String)
        if types == {float}:
            return pl.Series(values, dtype=pl.Float64)
        if types and all(issubclass(t, int | np.integer) and t is not bool for t in types):
            return _of_integers(values)
        return pl.Series([_key(value, what) for value in values], dtype=pl.String)
    except UnicodeEncodeError:
        raise DataError(f"{what} holds text that is not valid Unicode (a lone surrogate); {EXPECTED}") from None


def shown(ids: pl.Series, most: int = 5) -> str:
    """Format the first ids for a message: "a, b and 7 more"."""
    first = ", ".join("(empty)" if id_ is None else _shorten(str(id_)) for id_ in ids.head(most).to_list())
    return first + (f" and {len(ids) - most:,} more" if len(ids) > most else "")


def _integers_or_text(column: pl.Series) -> pl.Series:
    """Return Int64 if all values fit, else text, so that no value becomes null."""
    integers = column.cast(pl.Int64, strict=False)
    return integers if integers.null_count() == column.null_count() else column.cast(pl.String)


def _of_floats(column: pl.Series) -> pl.Series:
    integers = column.cast(pl.Int64, strict=False)
    if integers.null_count() == column.null_count() and (integers.cast(column.dtype) == column).all():
        return integers
    digits = column.cast(pl.Int128, strict=False)
    whole = (digits.cast(column.dtype) == column).fill_null(value=False)
    return digits.cast(pl.String).zip_with(whole, column.cast(pl.String))


def _of_bytes(column: pl.Series, what: str) -> pl.Series:
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        for row, value in enumerate(column.to_list(), start=1):
            if value is not None and not _is_utf8(value):
                raise DataError(f"{what}, row {row}: {value[:20]!r} is not UTF-8; {EXPECTED}") from None
        raise


def _of_integers(values: list[Any]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Int64)
    except (OverflowError, TypeError, pl.exceptions.PolarsError):  # beyond 64 bits, or NumPy integers
        integers = [None if value is None else int(value) for value in values]
    if all(value is None or -(2**63) <= value < 2**63 for value in integers):
        return pl.Series(integers, dtype=pl.Int64)
    return pl.Series([None if value is None else str(value) for value in integers], dtype=pl.String)


def _key(value: Any, what: str) -> str | None:
    """Return the text of the canonical form of a Python or NumPy value; None if missing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return _of_float(value)
    if isinstance(value, decimal.Decimal) and not value.is_nan():
        return str(int(value)) if value == value.to_integral_value() else f"{value:f}".rstrip("0")
    if isinstance(value, bytes) and _is_utf8(value):
        return value.decode()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise DataError(f"{what} holds {_shown(value)} of type {type(value).__name__}; {EXPECTED}")


def _of_float(value: float | np.floating[Any]) -> str | None:
    if math.isnan(value):
        return None
    if abs(float(value)) < BEYOND_INT128 and value == math.floor(value):
        return str(int(value))
    text: str = pl.Series([value], dtype=pl.Float32 if isinstance(value, np.float32) else pl.Float64).cast(pl.String)[0]
    return text


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(value: Any) -> str:
    return _shorten(repr(value))


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"

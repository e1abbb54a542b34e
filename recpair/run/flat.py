"""Conversion of columns of any type to values that CSV and JSON lines files support."""

import base64
import json
import logging
from typing import Any

import polars as pl

SEPARATOR = "|"
SCALARS = (pl.String, pl.Boolean, pl.Date, pl.Time, pl.Datetime, pl.Categorical, pl.Enum, pl.Null)

logger = logging.getLogger("recpair")


def for_csv(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the frame without nested values: lists of numbers or text joined with ``|``, others as JSON.

    A list column with a ``|`` in an element is also written as JSON. The format of each nested column is logged.
    Bytes are base64, durations ISO 8601 ("PT1H").

    Args:
        name: name of the file, for the log.
    """
    for column in frame.iter_columns():
        if column.dtype.is_nested():
            text = _joined(column)
            how = f"its lists are joined with {SEPARATOR!r}" if text is not None else "its values are JSON"
            logger.info("%s: column %s is nested; %s", name, column.name, how)
            frame = frame.with_columns(_json(column) if text is None else text)
        elif column.dtype == pl.Binary:
            frame = frame.with_columns(column.bin.encode("base64"))
        elif column.dtype == pl.Duration:
            frame = frame.with_columns(column.dt.to_string("iso"))
    return frame


def for_json_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with bytes as base64; nested values that contain bytes become JSON strings."""
    for column in frame.iter_columns():
        if column.dtype == pl.Binary:
            frame = frame.with_columns(column.bin.encode("base64"))
        elif column.dtype.is_nested() and "Binary" in str(column.dtype):
            frame = frame.with_columns(_json(column))
    return frame


def _joined(column: pl.Series) -> pl.Series | None:
    """Join a column of lists to text; None if that would lose information."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    inner = column.dtype.inner if isinstance(column.dtype, pl.List) else None
    if inner is None or not (inner in SCALARS or inner.is_numeric()):
        return None
    lists = column.cast(pl.List(pl.String))
    if lists.explode().str.contains(SEPARATOR, literal=True).any():
        return None
    return lists.list.eval(pl.element().fill_null("")).list.join(SEPARATOR)


def _json(column: pl.Series) -> pl.Series:
    values = [None if value is None else json.dumps(value, ensure_ascii=False, default=_plain) for value in column]
    return pl.Series(column.name, values, dtype=pl.String)


def _plain(value: Any) -> Any:
    """Convert values that the json module does not support: nested series, bytes, dates and durations."""
    if isinstance(value, pl.Series):
        return value.to_list()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)

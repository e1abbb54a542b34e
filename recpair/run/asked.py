"""Validation of arguments of serving functions: lists of ids, histories and options."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from recpair.data.ids import as_column, keys
from recpair.errors import RunError, shown


def is_pandas(value: object) -> bool:
    """Return True if a value is a pandas object; pandas is not imported."""
    return type(value).__module__.partition(".")[0] == "pandas"


def is_frame(value: object) -> bool:
    """Return True if a value is a polars or pandas frame."""
    return isinstance(value, pl.DataFrame | pl.LazyFrame) or (is_pandas(value) and type(value).__name__ == "DataFrame")


def is_list(value: object) -> bool:
    """Return True if a value is list-like: sized and iterable, and neither text, bytes nor a dict."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping) or is_frame(value):
        return False
    sized = hasattr(value, "__iter__") and hasattr(value, "__len__")
    return sized and getattr(value, "ndim", 1) == 1


def id_column(ids: Any, name: str, columns: Sequence[str] = ()) -> pl.Series:
    """Return external ids in canonical form (``recpair.data.ids``); missing values are null.

    Args:
        ids: a list, tuple, set, range, numpy array, polars, pandas or Arrow column, or a frame.
        name: name of the list in messages: ``user_id``, ``items``, ``histories[3]``.
        columns: names of the id column of a frame; the first one found is used.

    Raises:
        RunError: a string, bytes, a dict, a scalar, a generator, or a frame without such a column.
        DataError: a value is neither a number nor text.
    """
    if isinstance(ids, pl.Series) and ids.dtype in (pl.Int64, pl.String):
        return ids
    if is_frame(ids):
        ids = _column(ids.collect() if isinstance(ids, pl.LazyFrame) else ids, name, columns)
    if not is_list(ids):
        column = f", or a frame with the column {columns[0]}" if columns else ""
        raise RunError(f"{name} is {shown(ids)}; expected a list of ids, a column{column}")
    return keys(as_column(ids, name), name)


def pair_frame(frame: Any, name: str, users: Sequence[str], items: Sequence[str]) -> pl.DataFrame:
    """Return the ids of a frame of pairs in canonical form: user_id, item_id.

    Raises:
        RunError: not a frame, or one without such columns.
        DataError: a value is neither a number nor text.
    """
    if not is_frame(frame):
        raise RunError(f"{name} is {shown(frame)}; expected a frame with the columns {users[0]} and {items[0]}")
    frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    columns = {"user_id": id_column(frame, "user_id", users), "item_id": id_column(frame, "item_id", items)}
    return pl.DataFrame(columns)


def _column(frame: Any, name: str, columns: Sequence[str]) -> Any:
    found = [str(column) for column in frame.columns]
    for column in columns:
        if found.count(column) == 1:
            return frame[column]
    if not columns:
        raise RunError(f"{name} is a frame; expected a list of ids or a column")
    expected = " or ".join(map(repr, columns))
    raise RunError(f"the frame has no column {expected} (found: {shown(found)}); rename the column of the ids")


def history_columns(histories: Any) -> list[pl.Series]:
    """Return the item ids of each history, as ``id_column`` returns them.

    Raises:
        RunError: the histories, or one of them, are not a list.
        DataError: a value is neither a number nor text.
    """
    if not is_list(histories) and getattr(histories, "ndim", 0) != 2:
        raise RunError(f"histories is {shown(histories)}; expected a list with one list of item ids per user")
    if hasattr(histories, "to_pylist"):  # the elements of an Arrow array are Arrow scalars
        histories = histories.to_pylist()
    return [id_column(history, f"histories[{place}]") for place, history in enumerate(histories)]


def positive_integer(k: Any, most: int, among: str) -> int:
    """Return k as an int.

    Raises:
        RunError: k is not an integer in 1 … ``most``; True is not accepted.
    """
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    if not whole or not 1 <= k <= most:
        raise RunError(f"k is {shown(k)}, but {among}; choose k between 1 and {most:,}")
    return int(k)


def share(value: Any, name: str) -> float:
    """Return a number between 0 and 1 as a float.

    Raises:
        RunError: the value is out of range or has another type.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise RunError(f"{name} is {shown(value)}; expected a number from 0 to 1")
    return float(value)


def flag(value: Any, name: str) -> bool:
    """Return a flag as a bool.

    Raises:
        RunError: the value has another type.
    """
    if not isinstance(value, bool | np.bool_):
        raise RunError(f"{name} is {shown(value)}; expected True or False")
    return bool(value)


def choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """Return the value if it is one of the choices.

    Raises:
        RunError: the value is not among them.
    """
    if not isinstance(value, str) or value not in choices:
        raise RunError(f"{name} is {shown(value)}; expected one of {', '.join(choices)}")
    return value

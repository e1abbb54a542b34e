"""Conversion of in-memory frames to polars frames of the used columns."""

import uuid
from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from recpair.data.ids import as_column
from recpair.data.table import used
from recpair.errors import DataError

SAMPLE = 100  # objects used to detect the type of an object column
UNCONVERTIBLE = (pa.ArrowException, pl.exceptions.PolarsError, TypeError, ValueError, OverflowError, AttributeError)


def as_polars(
    data: Any, what: str, columns: Mapping[str, str | int] | None = None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Convert a polars (eager or lazy) or pandas frame to polars; return also the names of all source columns.

    Args:
        what: name of the frame in messages.
        columns: role → column; only columns with a role are converted. None: all columns.

    Raises:
        DataError: the object is not a frame, a name occurs twice, or a column cannot be converted.
    """
    if isinstance(data, pl.LazyFrame):
        try:
            data = data.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(
                f"{what}: the lazy frame cannot be collected ({' '.join(str(error).split())[:160]})"
            ) from None
    if isinstance(data, pl.DataFrame):
        names = list(data.columns)
        return (data if columns is None else data.select(used(columns, names))), tuple(names)
    if not (type(data).__module__.partition(".")[0] == "pandas" and type(data).__name__ == "DataFrame"):
        raise DataError(
            f"{what} are of type {type(data).__name__}; expected a polars or pandas frame, or a scipy matrix"
        )
    if data.columns.nlevels > 1:
        raise DataError(f"{what} have column names of {data.columns.nlevels} levels (MultiIndex); flatten them")
    names = list(map(str, data.columns))
    if repeated := [name for place, name in enumerate(names) if names.index(name) != place]:
        raise DataError(f"{what} have two columns named {repeated[0]!r}; rename one of them")
    chosen = names if columns is None else used(columns, names)
    return pl.DataFrame([_converted(data.iloc[:, names.index(name)], name, what) for name in chosen]), tuple(names)


def _converted(column: Any, name: str, what: str) -> pl.Series:
    """Convert a pandas column; UUIDs and integers beyond 64 bits become text."""
    kinds = set(map(type, column.dropna().head(SAMPLE))) if column.dtype == object else set()
    try:
        if kinds == {uuid.UUID} or (kinds == {int} and column.dropna().abs().max() >= 2**63):
            return as_column(column.to_list(), name).alias(name)
        return pl.Series(name, pl.from_pandas(column))
    except (DataError, *UNCONVERTIBLE) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{what} have a column of mixed types, {name!r} ({reason}); make it one type, as with astype(str)"
        ) from None

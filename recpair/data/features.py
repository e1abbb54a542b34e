"""Side tables aligned with the indices of the training data."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recpair.data.ids import keys
from recpair.data.vocabulary import Ids

CATEGORY = ("category", "categories", "genres")  # the first existing column is used; of lists, the first entry


@dataclass(frozen=True, eq=False)
class Features:
    """Columns of the item table, one row per item index, or of the user table, one row per user index.

    Attributes:
        category: int64 (I,), codes from 0 in ascending order of the names, -1 for rows without a category; None
            without such a column.
        numbers: float32 (I, F), the columns of numbers, standardised to mean 0 and standard deviation 1 over the rows
            with a value; missing values are 0; None without numeric columns.
        names: names of the numeric columns.
    """

    category: np.ndarray | None
    numbers: np.ndarray | None
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: pl.DataFrame | None, ids: Ids) -> "Features":
        """Return the features of the items or users of a vocabulary; those missing in the table have none."""
        if table is None:
            return cls(None, None)
        key = f"{ids.kind}_id"
        rows = ids.find(keys(table[key], key))
        known = rows >= 0
        category = next((table[name] for name in CATEGORY if name in table.columns), None)
        read = {name: read_numbers(table[name]) for name in table.columns if name != key}
        numeric = {name: values for name, values in read.items() if values is not None}
        numbers = np.zeros((len(ids), len(numeric)), dtype=np.float32)
        for place, values in enumerate(numeric.values()):
            numbers[rows[known], place] = _standardised(values)[known]
        return cls(
            None if category is None else _codes(category, rows, known, len(ids)),
            numbers if numeric else None,
            tuple(numeric),
        )


def read_numbers(column: pl.Series) -> np.ndarray | None:
    """Values of a numeric column, or of a text column in which every value is a number, as in csv files; else None."""
    if column.dtype == pl.String:
        values = column.str.strip_chars().cast(pl.Float64, strict=False)
        return (
            None
            if values.null_count() > column.null_count() or column.null_count() == len(column)
            else values.to_numpy()
        )
    return column.cast(pl.Float64).to_numpy() if column.dtype.is_numeric() else None


def _codes(column: pl.Series, rows: np.ndarray, known: np.ndarray, size: int) -> np.ndarray:
    first = column.list.first() if isinstance(column.dtype, pl.List) else column
    names = first.cast(pl.String)
    rank = names.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    codes = np.full(size, -1, dtype=np.int64)
    codes[rows[known]] = rank[known]
    return codes


def _standardised(values: np.ndarray) -> np.ndarray:
    there = np.isfinite(values)
    if not there.any():
        return np.zeros_like(values)
    spread = values[there].std()
    return np.where(there, (values - values[there].mean()) / (spread if spread > 0 else 1), 0)

"""Side tables aligned with the indices of the training data."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recpair.data.ids import keys
from recpair.data.vocabulary import Ids

CATEGORY = ("category", "categories", "genres")  # the first existing column is used; of lists, the first entry


@dataclass(frozen=True, eq=False)
class Features:
    """Columns of the item table, one row per item index.

    Attributes:
        category: int64 (I,), codes from 0 in ascending order of the names, -1 for items without a category; None
            without such a column.
        numbers: float32 (I, F), the numeric columns, standardised to mean 0 and standard deviation 1 over the items
            with a value; missing values are 0; None without numeric columns.
        names: names of the numeric columns.
    """

    category: np.ndarray | None
    numbers: np.ndarray | None
    names: tuple[str, ...] = ()

    @classmethod
    def of_items(cls, table: pl.DataFrame | None, ids: Ids) -> "Features":
        """Return the features of the items of a vocabulary; items missing in the table have none."""
        if table is None:
            return cls(None, None)
        rows = ids.find(keys(table["item_id"], "item_id"))
        known = rows >= 0
        category = next((table[name] for name in CATEGORY if name in table.columns), None)
        numeric = [name for name in table.columns if name != "item_id" and table[name].dtype.is_numeric()]
        numbers = np.zeros((len(ids), len(numeric)), dtype=np.float32)
        for place, name in enumerate(numeric):
            numbers[rows[known], place] = _standardised(table[name].cast(pl.Float64).to_numpy())[known]
        return cls(
            None if category is None else _codes(category, rows, known, len(ids)),
            numbers if numeric else None,
            tuple(numeric),
        )


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

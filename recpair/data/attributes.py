"""Categories and numbers of items: columns of the item table that are learnt from known items and read from new ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from recpair.data.features import CATEGORY, read_numbers
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids

MOST = 500  # categories, the most frequent ones


def aligned(table: pl.DataFrame, ids: Ids) -> pl.DataFrame:
    """Return a row per item in the order of ``ids``, of nulls for an item that the table does not have."""
    place = ids.find(table["item_id"])
    rows = np.full(len(ids), -1, dtype=np.int64)
    rows[place[place >= 0]] = np.flatnonzero(place >= 0)
    index = pl.Series(rows, dtype=pl.Int64).replace(-1, None)
    return table.select(pl.all().gather(index)).with_columns(ids.values.alias("item_id"))


@dataclass(frozen=True, eq=False)
class Attributes:
    """Categories and numeric columns of an item table.

    Attributes:
        column: the first of the columns ``category``, ``categories`` and ``genres``, or None. An item has several
            categories if the column has lists.
        categories: the categories of at least two known items, at most the 500 most frequent, in ascending order.
        numbers: names of the numeric columns (in text files: of numbers only).
        mean, sd: of the numeric columns over the known items, float64 (F,); the sd of a constant is 1.
    """

    column: str | None
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, known: pl.DataFrame) -> "Attributes":
        """Learn the columns, categories and scales from the rows of the known items."""
        column = next((name for name in CATEGORY if name in known.columns), None)
        categories: tuple[str, ...] = ()
        if column is not None:
            lists = _lists(known[column]).list.unique()
            counts = lists.explode(empty_as_null=False).drop_nulls().value_counts(name="n").filter(pl.col("n") > 1)
            names = counts.sort("n", column, descending=[True, False])[column].head(MOST)
            categories = tuple(sorted(names.to_list()))
        read = {name: read_numbers(known[name]) for name in known.columns if name not in ("item_id", column)}
        numbers = {name: values for name, values in read.items() if values is not None and np.isfinite(values).any()}
        finite = [values[np.isfinite(values)] for values in numbers.values()]
        sd = np.array([values.std() for values in finite])
        return cls(
            column,
            categories,
            tuple(numbers),
            np.array([values.mean() for values in finite]),
            np.where(sd > 0, sd, 1.0),
        )

    def columns(self) -> list[str]:
        """Names of the columns that are read."""
        return [*([] if self.column is None else [self.column]), *self.numbers]

    def category_rows(self, table: pl.DataFrame) -> sp.csr_matrix:
        """Return 1 for each category of each row, float32 (rows, C); unknown categories are left out."""
        return categories_of(table[self.column] if self.column is not None else None, self.categories, len(table))

    def number_rows(self, table: pl.DataFrame) -> np.ndarray:
        """Return the standardised numbers, float32 (rows, F), 0 where missing."""
        result = np.zeros((len(table), len(self.numbers)), dtype=np.float32)
        for place, name in enumerate(self.numbers):
            values = table[name].cast(pl.Float64, strict=False).to_numpy()
            scaled = (values - self.mean[place]) / self.sd[place]
            result[:, place] = np.where(np.isfinite(scaled), scaled, 0)
        return result


def categories_of(column: pl.Series | None, names: Sequence[str], rows: int) -> sp.csr_matrix:
    """Return a binary matrix, float32 (rows, C): the categories ``names`` of each row."""
    if column is None or not names:
        return sp.csr_matrix(np.zeros((rows, len(names)), dtype=np.float32))
    codes = {name: code for code, name in enumerate(names)}
    lists: list[Any] = _lists(column).to_list()
    found = [sorted({codes[name] for name in each or () if name in codes}) for each in lists]
    indptr = np.cumsum([0, *map(len, found)])
    flat = np.fromiter((code for each in found for code in each), dtype=np.int32, count=indptr[-1])
    return sp.csr_matrix((np.ones(len(flat), np.float32), flat, indptr), shape=(rows, len(names)))


def _lists(column: pl.Series) -> pl.Series:
    """Return a list of texts per row."""
    if isinstance(column.dtype, pl.List | pl.Array):
        return column.cast(pl.List(pl.String))
    return column.cast(pl.String).to_frame().select(pl.concat_list(column.name)).to_series()


def categories_of_items(table: pl.DataFrame | None, train: Interactions) -> sp.csr_matrix | None:
    """Return the categories of all items, binary (I, C), those of at least two items with training events; None if none.

    Columns are in ascending order of the names, the same for the same table and training events.
    """
    if table is None:
        return None
    rows = aligned(table, train.vocabulary.items)
    attributes = Attributes.of(rows.filter(pl.Series(train.item_counts > 0)))
    return attributes.category_rows(rows) if attributes.categories else None

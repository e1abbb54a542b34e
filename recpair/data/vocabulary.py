"""The two-way street between the outside world's ids and dense 0-based indices."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from recpair.data.ids import WHOLE, as_column, keys, shown
from recpair.errors import UnknownIdError


@dataclass(frozen=True, eq=False)
class Ids:
    """Distinct external ids in index order: the id at position i has the index i.

    ``kind`` ("user" or "item") is only used to word messages.
    """

    kind: str
    values: pl.Series

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def range(cls, kind: str, size: int) -> "Ids":
        """0, 1, …, size − 1: ids that are their own indices."""
        return cls(kind, pl.Series(f"{kind}_id", np.arange(size, dtype=np.int64)))

    def find(self, ids: Any) -> np.ndarray:
        """Indices (int32) of external ids in any list, array or series; −1 where an id is not known or missing.

        Ids are compared by the text of their canonical form (``recpair.data.ids``): "22", 22 and 22.0 are one id.

        Raises:
            DataError: a value is neither a number nor text, or ``ids`` is not a list.
        """
        name = f"{self.kind}_id"
        return self._find(keys(as_column(ids, name), name))

    def indices(self, ids: Any) -> np.ndarray:
        """Indices (int32) of external ids, as ``find`` takes them.

        Raises:
            UnknownIdError: names the first ids that are not known.
            DataError: a value is neither a number nor text, or ``ids`` is not a list.
        """
        name = f"{self.kind}_id"
        asked = keys(as_column(ids, name), name)
        indices = self._find(asked)
        if len(indices) and indices.min() < 0:
            raise UnknownIdError(
                f"unknown {name}: {shown(asked.filter(pl.Series(indices < 0)))} "
                f"({len(self):,} {self.kind}s are known); check the spelling"
            )
        return indices

    def _find(self, asked: pl.Series) -> np.ndarray:
        if asked.dtype == pl.Int64 and self.values.dtype == pl.Int64:
            return _joined(asked, self._by_value)
        text = asked.cast(pl.String)
        found = _joined(text, self._by_text)
        missed = pl.Series(found < 0) & text.str.contains(WHOLE)
        if missed.any():  # "22.0", as a float column is written to a text file
            found = np.where(missed, _joined(text.str.strip_suffix(".0"), self._by_text), found)
        return found

    @cached_property
    def _by_value(self) -> pl.DataFrame:
        return pl.DataFrame({"id": self.values, "index": np.arange(len(self), dtype=np.int32)})

    @cached_property
    def _by_text(self) -> pl.DataFrame:
        return self._by_value.with_columns(pl.col("id").cast(pl.String))

    def of(self, indices: np.ndarray) -> pl.Series:
        """External ids of indices, in their own type."""
        return self.values[np.asarray(indices, dtype=np.int64)]


def _joined(asked: pl.Series, table: pl.DataFrame) -> np.ndarray:
    found = asked.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return found["index"].fill_null(-1).to_numpy()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The ids of the users and of the items."""

    users: Ids
    items: Ids

    @classmethod
    def range(cls, n_users: int, n_items: int) -> "Vocabulary":
        """Ids that are their own indices, for matrices and synthetic data."""
        return cls(Ids.range("user", n_users), Ids.range("item", n_items))

"""The two-way street between the outside world's ids and dense 0-based indices."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

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

    @cached_property
    def _table(self) -> pl.DataFrame:
        name = f"{self.kind}_id"
        return pl.DataFrame({name: self.values.cast(pl.String), "index": np.arange(len(self), dtype=np.int32)})

    def find(self, ids: Sequence[Any] | pl.Series | np.ndarray) -> np.ndarray:
        """Indices (int32) of external ids, −1 where an id is not known.

        Ids are compared by their text, so "22" finds the integer 22.
        """
        name = f"{self.kind}_id"
        asked = ids if isinstance(ids, pl.Series) else pl.Series(list(ids), strict=False, dtype=None)
        asked = asked.cast(pl.String).alias(name)
        found = asked.to_frame().join(self._table, on=name, how="left", maintain_order="left")
        return found["index"].fill_null(-1).to_numpy()

    def indices(self, ids: Sequence[Any] | pl.Series | np.ndarray) -> np.ndarray:
        """Indices (int32) of external ids.

        Raises:
            UnknownIdError: names the first ids that are not known.
        """
        indices = self.find(ids)
        unknown = [str(id_) for id_, index in zip(ids, indices, strict=True) if index < 0]
        if unknown:
            shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            raise UnknownIdError(
                f"unknown {self.kind}_id: {shown} ({len(self):,} {self.kind}s are known); check the spelling"
            )
        return indices

    def of(self, indices: np.ndarray) -> pl.Series:
        """External ids of indices, in their own type."""
        return self.values[np.asarray(indices, dtype=np.int64)]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The ids of the users and of the items."""

    users: Ids
    items: Ids

    @classmethod
    def range(cls, n_users: int, n_items: int) -> "Vocabulary":
        """Ids that are their own indices, for matrices and synthetic data."""
        return cls(Ids.range("user", n_users), Ids.range("item", n_items))

"""Mapping between external ids and dense 0-based indices, in both directions."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from recpair.data.ids import WHOLE, as_column, keys, shown
from recpair.errors import UnknownIdError

SHORT = 8  # maximum length of a list whose ids are searched one by one


@dataclass(frozen=True, eq=False)
class Ids:
    """Distinct external ids in index order: the id at position i has the index i.

    ``kind`` ("user" or "item") is only used in messages.
    """

    kind: str
    values: pl.Series

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def range(cls, kind: str, size: int) -> "Ids":
        """Return the ids 0, 1, …, size − 1, which are equal to their indices."""
        return cls(kind, pl.Series(f"{kind}_id", np.arange(size, dtype=np.int64)))

    def find(self, ids: Any) -> np.ndarray:
        """Return the indices (int32) of external ids in any list, array or series; −1 if unknown or missing.

        Ids are compared by the text of their canonical form (``recpair.data.ids``): "22", 22 and 22.0 are the same id.

        Raises:
            DataError: a value is neither a number nor text, or ``ids`` is not a list.
        """
        name = f"{self.kind}_id"
        return self._find(keys(as_column(ids, name), name))

    def indices(self, ids: Any) -> np.ndarray:
        """Return the indices (int32) of external ids in any form accepted by ``find``.

        Raises:
            UnknownIdError: ids are unknown; names the first of them.
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
        found = self._search(asked)
        if asked.dtype == pl.String and (missed := pl.Series(found < 0)).any():
            rest = asked.filter(missed)  # "22.0", the text of a float
            whole = rest.set(~rest.str.contains(WHOLE), None).str.strip_suffix(".0")
            found[missed.to_numpy()] = self._search(whole)
        return found

    def _search(self, asked: pl.Series) -> np.ndarray:
        """Return the indices of Int64 or String ids by binary search, fast for short lists and large vocabularies."""
        ascending, order = self._ascending
        if asked.dtype != ascending.dtype:
            asked = asked.cast(pl.String) if ascending.dtype == pl.String else _integers(asked)
        missing = asked.is_null().to_numpy() if asked.null_count() else None
        if missing is not None:
            asked = asked.fill_null("" if asked.dtype == pl.String else 0)
        place, known = _places(ascending, asked)
        if missing is not None:
            known = known & ~missing
        return np.where(known, place if order is None else order[place], -1).astype(np.int32)

    @cached_property
    def _ascending(self) -> tuple[pl.Series, np.ndarray | None]:
        """The ids in ascending order and their indices, or None if the ids are sorted already, as in data sets."""
        ids = keys(self.values, f"{self.kind}_id").rechunk()
        if ids.is_sorted():
            return ids, None
        order = ids.arg_sort()
        return ids[order], order.to_numpy()

    def of(self, indices: np.ndarray) -> pl.Series:
        """Return the external ids of indices, in their original type."""
        if self._numbers is not None:
            return pl.Series(self.values.name, self._numbers[indices])
        return self.values[np.asarray(indices, dtype=np.int64)]

    @cached_property
    def _numbers(self) -> np.ndarray | None:
        """The ids as an array, for faster lookup; None for text."""
        return self.values.to_numpy() if self.values.dtype == pl.Int64 and not self.values.has_nulls() else None


def _places(ascending: pl.Series, asked: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the position (always valid) of each id in the ascending ids, and the mask of ids found."""
    if len(ascending) == 0:
        return np.zeros(len(asked), dtype=np.int64), np.zeros(len(asked), dtype=bool)
    last = len(ascending) - 1
    if ascending.dtype == pl.Int64:
        values, numbers = ascending.to_numpy(), asked.to_numpy()
        place = np.minimum(np.searchsorted(values, numbers), last)
        return place, values[place] == numbers
    if len(asked) > SHORT:
        place = np.minimum(ascending.search_sorted(asked).to_numpy(), last)
        return place, (ascending[place] == asked).to_numpy()
    texts = asked.to_list()  # avoids the overhead of a query engine
    place = np.array([min(bisect_left(ascending, text), last) for text in texts], dtype=np.int64)
    return place, np.array([ascending[at] == text for at, text in zip(place.tolist(), texts, strict=True)], dtype=bool)


def _integers(texts: pl.Series) -> pl.Series:
    """Convert text to Int64; null if it is not an integer in canonical form."""
    numbers = texts.cast(pl.Int64, strict=False)
    same = numbers.cast(pl.String) == texts
    return numbers if same.all() and same.null_count() == 0 else numbers.set(~same.fill_null(value=False), None)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Ids of the users and the items."""

    users: Ids
    items: Ids

    @classmethod
    def range(cls, n_users: int, n_items: int) -> "Vocabulary":
        """Return ids equal to their indices, for matrices and synthetic data."""
        return cls(Ids.range("user", n_users), Ids.range("item", n_items))

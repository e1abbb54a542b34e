"""Interactions: events of users with items, validated at construction."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from recpair.boundary import boundary
from recpair.data.indexing import by_user_and_time
from recpair.data.threads import on_threads
from recpair.data.times import UNKNOWN, BadTime, Clock, read_times
from recpair.data.vocabulary import Vocabulary
from recpair.errors import DataError, shown


@dataclass(frozen=True, eq=False)
class Interactions:
    """Events as parallel columns (E,), sorted by (user, time); events are identified by their row.

    Attributes:
        user, item: int32 indices into ``vocabulary``.
        time: int64, or None. Whole numbers as in the source; fractions and dates in the largest of seconds,
            milliseconds, microseconds and nanoseconds since 1970 that preserves all differences.
        rating, weight: float32, or None; ``weight`` is the number of events represented by one.
        vocabulary: the external ids; its sizes are ``n_users`` and ``n_items``.
        clock: the unit of ``time``, if it is known; run folders do not store it.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray | None
    rating: np.ndarray | None
    weight: np.ndarray | None
    vocabulary: Vocabulary
    clock: Clock = UNKNOWN

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return f"Interactions({len(self):,} events, {self.n_users:,} users, {self.n_items:,} items)"

    @property
    def n_users(self) -> int:
        return len(self.vocabulary.users)

    @property
    def n_items(self) -> int:
        return len(self.vocabulary.items)

    @classmethod
    @boundary
    def from_indices(
        cls,
        user: np.ndarray,
        item: np.ndarray,
        time: np.ndarray | None = None,
        rating: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        *,
        vocabulary: Vocabulary,
        clock: Clock = UNKNOWN,
    ) -> "Interactions":
        """Sort by (user, time), keeping the given order of ties, and validate.

        Times may be integers, in the unit of ``clock``, or floats or datetimes, which are converted as described for
        ``time`` and bring their own clock.

        Raises:
            DataError: columns of unequal length, an index outside the vocabulary, or a missing time.
        """
        if time is not None:
            time, clock = _ticks(np.asarray(time), clock)
        columns = {"user": user, "item": item, "time": time, "rating": rating, "weight": weight}
        lengths = {name: len(column) for name, column in columns.items() if column is not None}
        if len(set(lengths.values())) > 1:
            raise DataError(f"columns have unequal lengths: {lengths}; give one value per event in each")
        for name, column, size in (
            ("user", user, len(vocabulary.users)),
            ("item", item, len(vocabulary.items)),
        ):
            if len(column) and (np.min(column) < 0 or np.max(column) >= size):
                raise DataError(f"{name} indices must lie in 0 … {size - 1}, found {np.min(column)} … {np.max(column)}")
        order = slice(None) if _is_sorted(user, time) else cls.order(user, time)
        return cls(
            user=_column(user, np.int32, order),
            item=_column(item, np.int32, order),
            time=None if time is None else _column(time, np.int64, order),
            rating=None if rating is None else _column(rating, np.float32, order),
            weight=None if weight is None else _column(weight, np.float32, order),
            vocabulary=vocabulary,
            clock=clock,
        )

    @staticmethod
    def order(user: np.ndarray, time: np.ndarray | None) -> np.ndarray:
        """Return the permutation that sorts by (user, time) and keeps the given order of ties."""
        user = np.asarray(user, dtype=np.int32)
        time = None if time is None else np.asarray(time)
        if _is_sorted(user, time):
            return np.arange(len(user))
        if time is not None and time.dtype.kind not in "iu":
            return np.lexsort((time, user))
        return by_user_and_time(user, user, time, int(user.max()) + 1)[1]

    @classmethod
    @boundary
    def from_polars(cls, frame: pl.DataFrame, *, columns: dict[str, str | int] | None = None) -> "Interactions":
        """Create interactions from a frame with user_id, item_id and optionally rating and timestamp.

        ``columns`` maps user, item, rating and time to other names. Repeated events are kept.

        Raises:
            DataError: a column is missing, or a row is invalid.
        """
        from recpair.data.dataset import Dataset  # builds the index
        from recpair.data.events import events_from

        return Dataset.from_events(events_from(frame, columns)).interactions

    @classmethod
    @boundary
    def from_pandas(cls, frame: Any, *, columns: dict[str, str | int] | None = None) -> "Interactions":
        """Create interactions from a pandas frame, as ``from_polars``."""
        return cls.from_polars(frame, columns=columns)

    @classmethod
    @boundary
    def from_scipy(cls, matrix: sp.sparray | sp.spmatrix) -> "Interactions":
        """Create one event per non-zero entry of a users × items matrix; ids are row and column numbers.

        Raises:
            DataError: the matrix does not have two dimensions, or contains complex or infinite values or NaN.
        """
        dense = isinstance(matrix, np.ndarray) and matrix.ndim > 0 and matrix.dtype.kind in "biufc"
        if not dense and not sp.issparse(matrix):
            raise DataError(f"the matrix is of type {type(matrix).__name__}; expected a scipy matrix of users × items")
        entries: sp.coo_array = sp.coo_array(matrix)  # type: ignore[call-overload]
        if len(entries.shape) != 2 or entries.dtype.kind not in "biuf":
            raise DataError(
                f"the matrix is of shape {entries.shape} and type {entries.dtype}; "
                f"expected users × items of real numbers"
            )
        if not (finite := np.isfinite(entries.data)).all():
            place = int(finite.argmin())
            raise DataError(
                f"the matrix holds {entries.data[place]} in row {entries.row[place]}, column {entries.col[place]}; "
                f"expected finite numbers"
            )
        kept = entries.data != 0
        users, items = entries.shape
        rating = entries.data[kept].astype(np.float32)
        user, item = entries.row[kept], entries.col[kept]
        return cls.from_indices(user, item, None, rating, vocabulary=Vocabulary.range(users, items))

    @classmethod
    @boundary
    def read(cls, path: str | Path, *, columns: dict[str, str | int] | None = None) -> "Interactions":
        """Read interactions from a file or folder of any format supported by ``data.path``.

        Raises:
            DataError: the data are invalid; names the file, the line and the column.
        """
        from recpair.data.dataset import Dataset
        from recpair.data.events import read_data

        if not isinstance(path, str | Path):
            raise DataError(f"events are read from a file or a folder, got {shown(path)}")
        return Dataset.from_events(read_data(path=str(path), columns=columns)).interactions  # type: ignore[arg-type]

    def to_polars(self) -> pl.DataFrame:
        """Return a frame with external ids: user_id, item_id and optionally rating, timestamp and weight."""
        ids = self.vocabulary
        columns = {"rating": self.rating, "timestamp": self.time, "weight": self.weight}
        known = {name: column for name, column in columns.items() if column is not None}
        return pl.DataFrame({"user_id": ids.users.of(self.user), "item_id": ids.items.of(self.item)} | known)

    @cached_property
    def indptr(self) -> np.ndarray:
        """int64 (U + 1,): the events of user u are in rows indptr[u] … indptr[u + 1] − 1."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1, dtype=np.int32)).astype(np.int64)

    @cached_property
    def sorted_items(self) -> np.ndarray:
        """int32 (E,): each user's items in ascending order, with the same ``indptr``."""
        return np.sort(pair_codes(self, 0, self.n_users)).astype(np.int32)

    @cached_property
    def item_counts(self) -> np.ndarray:
        """int64 (I,): events per item."""
        return np.bincount(self.item, minlength=self.n_items)

    def items_of(self, user: int) -> np.ndarray:
        """Return the items of a user in order of time."""
        return self.item[self.indptr[user] : self.indptr[user + 1]]

    def to_scipy(self) -> sp.csr_matrix:
        """Return a binary users × items matrix (repeated events count once)."""
        shape = (self.n_users, self.n_items)
        ones = np.ones(len(self), dtype=np.float32)
        matrix = sp.csr_matrix((ones, self.item, self.indptr), shape=shape, copy=True)  # sorted in place below
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        return matrix

    @property
    def varying_weight(self) -> np.ndarray | None:
        """The weights, or None if all weights are 1."""
        return None if self.weight is None or (self.weight == 1).all() else self.weight

    def weights_in(self, matrix: sp.csr_matrix) -> np.ndarray:
        """Return the weight (float32) of each entry of ``to_scipy()``; for repeated events the largest."""
        return (
            np.ones(len(matrix.data), dtype=np.float32) if self.weight is None else self.largest_per_pair(self.weight)
        )

    def largest_per_pair(self, values: np.ndarray) -> np.ndarray:
        """Return the largest value (E,) of each distinct (user, item), in ascending order of the pairs."""
        if len(values) == 0:
            return values
        order = np.lexsort((self.item, self.user))
        user, item = self.user[order], self.item[order]
        starts = np.flatnonzero(np.append(True, (np.diff(user) != 0) | (np.diff(item) != 0)))
        return np.maximum.reduceat(values[order], starts)

    def select(self, rows: np.ndarray) -> "Interactions":
        """Return the events at ``rows`` (a mask or positions), over the same vocabulary."""
        if rows.dtype == bool and 2 * np.count_nonzero(rows) < len(rows):
            rows = np.flatnonzero(rows)  # faster than a mask in each column
        columns = [
            column for column in (self.user, self.item, self.time, self.rating, self.weight) if column is not None
        ]
        selected = iter(on_threads([partial(column.__getitem__, rows) for column in columns], len(self)))
        user, item = next(selected), next(selected)
        time, rating, weight = (
            None if column is None else next(selected) for column in (self.time, self.rating, self.weight)
        )
        ascending = rows.dtype == bool or ((rows[1:] > rows[:-1]).all() and (len(rows) == 0 or rows[0] >= 0))
        if ascending:  # and therefore sorted
            return Interactions(user, item, time, rating, weight, self.vocabulary, self.clock)
        return Interactions.from_indices(user, item, time, rating, weight, vocabulary=self.vocabulary, clock=self.clock)


def pair_codes(events: Interactions, first: int, end: int) -> np.ndarray:
    """int64: user · 2³² + item of each event of the users first … end − 1; the lower 32 bits are the item."""
    rows = slice(events.indptr[first], events.indptr[end])
    codes: np.ndarray = events.user[rows].astype(np.int64) << 32
    codes |= events.item[rows]
    return codes


def _column(values: np.ndarray, dtype: type[np.generic], order: np.ndarray | slice) -> np.ndarray:
    """Return a copy in another order and type."""
    return values[order].astype(dtype, copy=isinstance(order, slice))


def _ticks(time: np.ndarray, clock: Clock) -> tuple[np.ndarray, Clock]:
    """Convert times to integers that preserve all differences, with their clock; integers keep the given one."""
    if time.dtype.kind in "iu":
        return time, clock
    try:
        times = read_times(pl.Series(time))
    except BadTime as bad:
        raise DataError(f"time {bad.row} is {time[bad.row]!r}; expected {bad.expected or 'numbers or dates'}") from None
    if times.ticks.has_nulls():
        raise DataError(f"time {int(times.ticks.is_null().arg_max() or 0)} is missing; expected a number or a date")
    return times.ticks.to_numpy(), times.clock


def _is_sorted(user: np.ndarray, time: np.ndarray | None) -> bool:
    """Return True if the events are sorted by (user, time)."""
    if not (user[1:] >= user[:-1]).all():
        return False
    return time is None or bool(((time[1:] >= time[:-1]) | (user[1:] != user[:-1])).all())

"""Mapping of external ids to dense indices, and sorting of events by user and time."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np
import polars as pl

from recpair.data.threads import blocks_of_users, on_threads

Keep = Literal["first", "last", "count", "keep"]


@dataclass(frozen=True, eq=False)
class Index:
    """Events of a frame sorted by (user, time); ties keep the order of the frame.

    Attributes:
        source: the frame, including events that were filtered out.
        user_ids, item_ids: distinct ids in ascending order (integers by value, text by code point).
        indptr: int64 (U + 1,): the events of user u are at indptr[u] … indptr[u + 1] − 1.
        item: int32 (E,).
        time: int64 (E,), or None.
        rows: int32 or int64 (E,): the row of each event in ``source``.
    """

    source: pl.DataFrame
    user_ids: pl.Series
    item_ids: pl.Series
    indptr: np.ndarray
    item: np.ndarray
    time: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def of(cls, frame: pl.DataFrame, keep: Keep = "keep") -> "Index":
        """Index a frame with user_id, item_id and optionally timestamp, weight and other columns.

        Args:
            keep: all events, or one per (user, item): the ``first`` or ``last`` in time, or the first with the sum of
                the weights (1 each without weights) as its weight (``count``).
        """
        columns = [partial(indexed, frame[name]) for name in ("user_id", "item_id")]
        (user_ids, user), (item_ids, item) = on_threads(columns, len(frame))
        time = frame["timestamp"] if "timestamp" in frame.columns else None
        indptr, rows, item, times = by_user_and_time(user, item, time, len(user_ids))
        index = cls(frame, user_ids, item_ids, indptr, item, times, rows)
        return index if keep == "keep" else index._one_of_each_pair(keep)

    @property
    def user(self) -> np.ndarray:
        """User indices, int32 (E,)."""
        return np.repeat(np.arange(len(self.user_ids), dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The events with external ids, in the order of the source."""
        from recpair.data import kernels  # Numba is slow to import

        if len(self) == len(self.source):
            return self.source
        mask = np.zeros(len(self.source), dtype=bool)
        kernels.mark(self.rows, 0, mask)
        return self.source.filter(pl.Series(mask))

    def column(self, name: str) -> np.ndarray | None:
        """Return another column as float32 (E,), in the order of the index, or None if it is missing."""
        from recpair.data import kernels

        if name not in self.source.columns:
            return None
        out = np.empty(len(self), dtype=np.float32)
        kernels.gather(self.source[name].cast(pl.Float32).to_numpy(), self.rows, 0, out)
        return out

    def core(self, user_core: int, item_core: int) -> "Index":
        """Return the largest subset with at least user_core events per user and item_core events per item."""
        from recpair.data import kernels

        n_users, n_items = len(self.user_ids), len(self.item_ids)
        kept = kernels.core(self.user, self.item, n_users, n_items, user_core, item_core)
        if kept.all():
            return self
        item, per_user = self.item[kept], np.bincount(self.user[kept], minlength=n_users)
        present = np.zeros(n_items, dtype=bool)
        present[item] = True
        return Index(
            self.source,
            self.user_ids.filter(pl.Series(per_user > 0)),
            self.item_ids.filter(pl.Series(present)),
            np.concatenate([[0], np.cumsum(per_user[per_user > 0])]),
            (np.cumsum(present, dtype=np.int32) - np.int32(1))[item],
            None if self.time is None else self.time[kept],
            self.rows[kept],
        )

    def _one_of_each_pair(self, keep: Keep) -> "Index":
        """Drop the other events of each (user, item), in place: this index must not be used afterwards."""
        from recpair.data import kernels

        times = np.empty(0, dtype=np.int64) if self.time is None else self.time
        weights, source = self.column("weight") if keep == "count" else None, self.source
        weights = np.empty(0, dtype=np.float32) if weights is None else weights
        sums = np.zeros(len(self) if keep == "count" else 0)
        kept = kernels.one_of_each_pair(self.indptr, self.item, len(self.item_ids), keep == "last", weights, sums)
        if keep == "count":
            weight = np.zeros(len(source), dtype=np.float32)
            weight[self.rows] = sums
            source = source.with_columns(pl.Series("weight", weight))
        indptr = self.indptr if kept.all() else kernels.compact(kept, self.indptr, self.item, self.rows, times)
        item, rows, times = (column[: indptr[-1]] for column in (self.item, self.rows, times))
        return replace(
            self, source=source, indptr=indptr, item=item, rows=rows, time=None if self.time is None else times
        )


def indexed(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Return the distinct ids in ascending order, and the index (int32) of each id."""
    from recpair.data import kernels

    index = np.empty(len(ids), dtype=np.int32)
    if not ids.dtype.is_integer():
        categories = ids.cast(pl.Categorical)
        present = categories.unique()
        names, codes = present.cast(pl.String), categories.to_physical().to_numpy()
        order = names.arg_sort().to_numpy()
        rank = np.empty(int(codes.max()) + 1, dtype=np.int32)
        rank[present.to_physical().to_numpy()[order]] = np.arange(len(order), dtype=np.int32)
        kernels.gather(rank, codes, 0, index)
        return names[order].alias(ids.name), index
    low, high = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
    if high - low < 2 * len(ids) + 1_000_000:  # a lookup table is faster than sorting
        mask, chunks = np.zeros(high - low + 1, dtype=bool), [chunk.to_numpy() for chunk in ids.get_chunks()]
        for chunk in chunks:
            kernels.mark(chunk, low, mask)
        rank, end = np.cumsum(mask, dtype=np.int32) - np.int32(1), 0
        for chunk in chunks:
            kernels.gather(rank, chunk, low, index[end : end + len(chunk)])
            end += len(chunk)
        return pl.Series(ids.name, np.flatnonzero(mask) + low), index
    distinct = np.sort(ids.to_numpy())
    distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])]
    table = pl.DataFrame({"id": distinct, "index": np.arange(len(distinct), dtype=np.int32)})
    joined = ids.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return pl.Series(ids.name, distinct), joined["index"].to_numpy()


def by_user_and_time(
    user: np.ndarray, item: np.ndarray, time: pl.Series | np.ndarray | None, n_users: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """CSR of the rows sorted by (user, time): return indptr (U + 1,), and rows, items and times (E,) in that order.

    Ties keep their order. Users and items are int32; times may be of any type and are returned as int64.
    """
    from recpair.data import kernels

    rows, items = np.empty(len(user), dtype=np.int32 if len(user) < 2**31 else np.int64), np.empty_like(item)
    indptr = kernels.by_user(user, item, n_users, rows, items)
    if time is None:
        return indptr, rows, items, None
    times, place, end = np.empty(len(user), dtype=np.int64), indptr[:-1].copy(), 0
    for chunk in pl.Series(time).cast(pl.Int64).get_chunks():
        kernels.scatter(user[end : end + len(chunk)], chunk.to_numpy(), place, times)
        end += len(chunk)
    sort = [
        partial(kernels.sort_segments, indptr[first : end + 1], times, items, rows)
        for first, end in blocks_of_users(indptr)
    ]
    on_threads(sort, len(user))
    return indptr, rows, items, times

"""From external ids to dense indices, and the order of events by user and time."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from recpair.data import kernels


@dataclass(frozen=True, eq=False)
class Index:
    """Events of a frame in the order of (user, time), equal ones in the order of the frame.

    Attributes:
        frame: the events by external ids.
        user_ids, item_ids: distinct ids in ascending order (integers by value, text by code point).
        indptr: int64 (U + 1,): the events of user u are at indptr[u] … indptr[u + 1] − 1.
        item: int32 (E,).
        time: int64 (E,), or None.
        rows: int32 or int64 (E,): the row of each event in ``rest``.
        rest: the other columns of the frame that was indexed, before the index was filtered.
        n_rows: number of rows of that frame.
    """

    frame: pl.DataFrame
    user_ids: pl.Series
    item_ids: pl.Series
    indptr: np.ndarray
    item: np.ndarray
    time: np.ndarray | None
    rows: np.ndarray
    rest: pl.DataFrame
    n_rows: int

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Index":
        """Index a frame with user_id, item_id and, where known, timestamp and other columns."""
        user_ids, user = indexed(frame["user_id"])
        item_ids, item = indexed(frame["item_id"])
        time = frame["timestamp"].to_numpy() if "timestamp" in frame.columns else None
        indptr, rows, item, time = by_user_and_time(user, item, time, len(user_ids))
        rest = frame.drop("user_id", "item_id", "timestamp", strict=False)
        return cls(frame, user_ids, item_ids, indptr, item, time, rows, rest, len(frame))

    @property
    def user(self) -> np.ndarray:
        """int32 (E,)."""
        return np.repeat(np.arange(len(self.user_ids), dtype=np.int32), np.diff(self.indptr))

    def column(self, name: str) -> np.ndarray | None:
        """Another numeric column in the order of the index; None where the frame has no such column."""
        if name not in self.rest.columns:
            return None
        values = self.rest[name].to_numpy()
        out = np.empty(len(self.rows), dtype=values.dtype)
        kernels.gather(values, self.rows, out)
        return out

    def one_of_each_pair(self, keep: Literal["first", "last", "count"]) -> "Index":
        """One event of each user with each item: the first or last in time, or the first with their sum of weights.

        Without weights each counts as 1.
        """
        counts = np.zeros(len(self.item) if keep == "count" else 0, dtype=np.float32)
        kept = kernels.one_of_each_pair(self.indptr, self.item, len(self.item_ids), keep == "last", counts)
        if keep != "count":
            return self._filtered(kept)
        if (given := self.column("weight")) is not None:
            pairs = pl.DataFrame({"user": self.user, "item": self.item, "weight": given})
            counts = pairs.select(pl.col("weight").sum().over("user", "item")).to_series().to_numpy()
        weight = np.zeros(self.n_rows, dtype=np.float32)
        weight[self.rows] = counts
        frame = self.frame.with_columns(pl.Series("weight", weight[self._alive(self.rows)]))
        weighted = replace(self, frame=frame, rest=self.rest.with_columns(pl.Series("weight", weight)))
        return weighted._filtered(kept)

    def core(self, user_core: int, item_core: int) -> "Index":
        """The largest subset in which every user has at least user_core events, and every item item_core."""
        n_users, n_items = len(self.user_ids), len(self.item_ids)
        return self._filtered(kernels.core(self.user, self.item, n_users, n_items, user_core, item_core))

    def _filtered(self, kept: np.ndarray) -> "Index":
        """The events of a mask (E,); ids without an event are dropped."""
        if kept.all():
            return self
        given = np.empty(0, dtype=np.int64) if self.time is None else self.time
        indptr, item, rows, time = kernels.compact(kept, self.indptr, self.item, self.rows, given)
        has_events = np.diff(indptr) > 0
        wanted = np.zeros(len(self.item_ids), dtype=bool)
        wanted[item] = True
        return replace(
            self,
            frame=self.frame.filter(pl.Series(self._alive(rows)[self._alive(self.rows)])),
            user_ids=self.user_ids.filter(pl.Series(has_events)),
            item_ids=self.item_ids.filter(pl.Series(wanted)),
            indptr=indptr[np.append(True, has_events)],
            item=item if wanted.all() else (np.cumsum(wanted, dtype=np.int32) - np.int32(1))[item],
            time=None if self.time is None else time,
            rows=rows,
        )

    def _alive(self, rows: np.ndarray) -> np.ndarray:
        """Mask of some rows among all of the frame that was indexed."""
        if len(rows) == self.n_rows:
            return np.ones(self.n_rows, dtype=bool)
        mask = np.zeros(self.n_rows, dtype=bool)
        kernels.mark(rows, mask)
        return mask


def indexed(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Distinct ids in ascending order, and the index (int32) of each id among them."""
    if not ids.dtype.is_integer():
        return _indexed_text(ids)
    values = ids.to_numpy()
    low, high = int(values.min()), int(values.max())
    if high - low < 2 * len(values) + 1_000_000:  # a table is quicker than a sort
        present = np.zeros(high - low + 1, dtype=bool)
        index = kernels.ranks(values, low, present)
        return pl.Series(ids.name, np.flatnonzero(present) + low), index
    distinct = np.sort(values)
    distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])]
    table = pl.DataFrame({"id": distinct, "index": np.arange(len(distinct), dtype=np.int32)})
    joined = ids.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return pl.Series(ids.name, distinct), joined["index"].to_numpy()


def _indexed_text(ids: pl.Series) -> tuple[pl.Series, np.ndarray]:
    categories = ids.cast(pl.Categorical)
    present = categories.unique()
    names, codes = present.cast(pl.String), categories.to_physical().to_numpy()
    order = names.arg_sort().to_numpy()
    rank = np.empty(int(codes.max()) + 1, dtype=np.int32)
    rank[present.to_physical().to_numpy()[order]] = np.arange(len(order), dtype=np.int32)
    index = np.empty(len(codes), dtype=np.int32)
    kernels.gather(rank, codes, index)
    return names[order], index


def by_user_and_time(
    user: np.ndarray, item: np.ndarray, time: np.ndarray | None, n_users: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """CSR of the rows by user, each user's by time: indptr (U + 1,), and rows, items and times (E,) in that order.

    Rows of equal user and time keep their order. Users and items are of type int32, times int64.
    """
    rows = np.empty(len(user), dtype=np.int32 if len(user) < 2**31 else np.int64)
    indptr, items, times = kernels.by_user(
        user, item, np.empty(0, dtype=np.int64) if time is None else time, n_users, rows
    )
    if time is None:
        return indptr, rows, items, None
    kernels.sort_segments(indptr, times, items, rows)
    return indptr, rows, items, times

"""Item lists of many queries, as CSR: what somebody took, what is hidden, what is to be found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recpair.data.interactions import Interactions


@dataclass(frozen=True)
class ItemLists:
    """Query q's items are ``items[indptr[q]:indptr[q + 1]]``: distinct, ascending int32 indices."""

    indptr: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of_users(cls, *parts: Interactions) -> "ItemLists":
        """The union of each user's items over the parts."""
        n_items, n_users = parts[0].n_items, parts[0].n_users
        codes = np.unique(np.concatenate([p.user.astype(np.int64) * n_items + p.item for p in parts]))
        counts = np.bincount(codes // n_items, minlength=n_users)
        return cls(_starts(counts), (codes % n_items).astype(np.int32))

    @classmethod
    def of_lists(cls, lists: Sequence[np.ndarray]) -> "ItemLists":
        """Any lists of item indices."""
        distinct = [np.unique(items) for items in lists]
        flat = np.concatenate([*distinct, np.empty(0, dtype=np.int32)])
        return cls(_starts([len(items) for items in distinct]), flat.astype(np.int32))

    def rows(self, queries: np.ndarray) -> "ItemLists":
        """The lists of some queries, in their order."""
        lengths = self.indptr[queries + 1] - self.indptr[queries]
        indptr = _starts(lengths)
        places = np.repeat(self.indptr[queries] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return ItemLists(indptr, self.items[places])


def _starts(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])

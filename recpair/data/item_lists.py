"""Item lists of many queries, as CSR: what somebody took, what is hidden, what is to be found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recpair.data.interactions import Interactions, pair_codes


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
        codes = np.concatenate([pair_codes(part) for part in parts])
        codes.sort()
        if len(codes) and not (first := np.append(True, codes[1:] != codes[:-1])).all():
            codes = codes[first]
        indptr = np.searchsorted(codes, np.arange(parts[0].n_users + 1, dtype=np.int64) << 32)
        return cls(indptr.astype(np.int64), codes.astype(np.int32))

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

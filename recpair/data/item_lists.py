"""Item lists of many queries, as CSR: what somebody took, what is hidden, what is to be found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recpair.data.interactions import Interactions, pair_codes

BLOCK = 2**20  # events that are sorted at a time


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
        n_users, total = parts[0].n_users, sum(map(len, parts))
        items, lengths, end = np.empty(total, dtype=np.int32), np.zeros(n_users, dtype=np.int64), 0
        borders = np.searchsorted(parts[0].indptr, np.arange(0, len(parts[0]) + 1, BLOCK))
        for first, last in zip(
            borders, [*borders[1:], n_users], strict=True
        ):  # of users: large arrays are slow to make
            codes = np.concatenate([pair_codes(part, int(first), int(last)) for part in parts])
            codes.sort()
            codes = codes[np.append(True, codes[1:] != codes[:-1])[: len(codes)]]
            lengths[first:last] = np.bincount((codes >> 32) - first, minlength=last - first)
            items[end : end + len(codes)] = codes
            end += len(codes)
        return cls(_starts(lengths), items[:end])

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

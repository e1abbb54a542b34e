"""Item lists of many queries as CSR: seen, masked, or relevant items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from recpair.data.interactions import Interactions, pair_codes
from recpair.data.threads import blocks_of_users, on_threads


@dataclass(frozen=True)
class ItemLists:
    """Item lists in CSR: ``items[indptr[q]:indptr[q + 1]]`` of query q, distinct, ascending int32 indices."""

    indptr: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of_users(cls, *parts: Interactions) -> "ItemLists":
        """Return the union of each user's items over the parts."""

        def block(first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
            codes = np.concatenate([pair_codes(part, first, end) for part in parts])
            codes.sort()
            codes = codes[np.append(True, codes[1:] != codes[:-1])[: len(codes)]]
            return np.bincount((codes >> 32) - first, minlength=end - first), codes.astype(np.int32)

        # In blocks, as large arrays of codes take longer to allocate than to sort.
        tasks = [partial(block, first, end) for first, end in blocks_of_users(parts[0].indptr)]
        lengths, items = zip(*on_threads(tasks, len(parts[0])), strict=True)
        return cls(_starts(np.concatenate(lengths)), np.concatenate(items))

    @classmethod
    def of_lists(cls, lists: Sequence[np.ndarray]) -> "ItemLists":
        """Convert any lists of item indices."""
        distinct = [np.unique(items) for items in lists]
        flat = np.concatenate([*distinct, np.empty(0, dtype=np.int32)])
        return cls(_starts([len(items) for items in distinct]), flat.astype(np.int32))

    def rows(self, queries: np.ndarray) -> "ItemLists":
        """Return the lists of the given queries, in their order."""
        lengths = self.indptr[queries + 1] - self.indptr[queries]
        indptr = _starts(lengths)
        places = np.repeat(self.indptr[queries] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return ItemLists(indptr, self.items[places])


def _starts(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])

"""Sorting and deduplication of events in Numba: one counting sort by user, then work within users."""

import numba
import numpy as np

SHORT = 16  # length of runs sorted by insertion


@numba.njit(nogil=True, cache=True)
def mark(values, low, mask):
    """mask[values − low] = True."""
    for place in range(len(values)):
        mask[values[place] - low] = True


@numba.njit(nogil=True, cache=True)
def gather(table, values, low, out):
    """out = table[values − low], without an array of the differences."""
    for place in range(len(values)):
        out[place] = table[values[place] - low]


@numba.njit(nogil=True, cache=True)
def by_user(user, item, n_users, rows, items):
    """Counting sort by user: return indptr (U + 1,), fill rows (E,) and items (E,)."""
    indptr = np.zeros(n_users + 1, dtype=np.int64)
    for row in range(len(user)):
        indptr[user[row] + 1] += 1
    for u in range(n_users):
        indptr[u + 1] += indptr[u]
    place = indptr[:-1].copy()
    for row in range(len(user)):
        to = place[user[row]]
        place[user[row]] = to + 1
        rows[to], items[to] = row, item[row]
    return indptr


@numba.njit(nogil=True, cache=True)
def scatter(user, values, place, out):
    """Write each value to the next position (U,) of its user and advance the position."""
    for row in range(len(user)):
        to = place[user[row]]
        place[user[row]] = to + 1
        out[to] = values[row]


@numba.njit(nogil=True, cache=True)
def sort_segments(indptr, keys, items, rows):
    """Sort the keys of each segment in place, together with items and rows; equal keys keep their order.

    Sorted segments cost one pass. Others are sorted by merging runs of 16 that are sorted by insertion.
    """
    longest = 0
    for s in range(len(indptr) - 1):
        longest = max(longest, indptr[s + 1] - indptr[s])
    spare = (
        np.empty(longest, dtype=keys.dtype),
        np.empty(longest, dtype=items.dtype),
        np.empty(longest, dtype=rows.dtype),
    )
    for s in range(len(indptr) - 1):
        start, stop = indptr[s], indptr[s + 1]
        ordered = True
        for place in range(start + 1, stop):
            if keys[place] < keys[place - 1]:
                ordered = False
                break
        if ordered:
            continue
        for first in range(start, stop, SHORT):
            for place in range(first + 1, min(first + SHORT, stop)):
                key, item, row, hole = keys[place], items[place], rows[place], place
                while hole > first and keys[hole - 1] > key:
                    keys[hole], items[hole], rows[hole] = keys[hole - 1], items[hole - 1], rows[hole - 1]
                    hole -= 1
                keys[hole], items[hole], rows[hole] = key, item, row
        width = SHORT
        while width < stop - start:
            for first in range(start, stop - width, 2 * width):
                _merge(keys, items, rows, first, first + width, min(first + 2 * width, stop), spare)
            width *= 2


@numba.njit(nogil=True)
def _merge(keys, items, rows, first, middle, stop, spare):
    """Merge two adjacent sorted runs; the first is copied to ``spare``."""
    if keys[middle - 1] <= keys[middle]:
        return
    left_keys, left_items, left_rows = spare
    size = middle - first
    for place in range(size):
        left_keys[place], left_items[place], left_rows[place] = (
            keys[first + place],
            items[first + place],
            rows[first + place],
        )
    left, right, out = 0, middle, first
    while left < size:
        if right < stop and keys[right] < left_keys[left]:
            keys[out], items[out], rows[out] = keys[right], items[right], rows[right]
            right += 1
        else:
            keys[out], items[out], rows[out] = left_keys[left], left_items[left], left_rows[left]
            left += 1
        out += 1


@numba.njit(nogil=True, cache=True)
def one_of_each_pair(indptr, item, n_items, last, weights, sums):
    """Mask (E,) of the first (or ``last``) event of each user with each item, for events sorted by user.

    If ``sums`` (E,) is not empty, the sum of the weights (E,) of a pair's events, or of ones without weights, is added
    at the position of the first.
    """
    kept = np.ones(len(item), dtype=np.bool_)
    latest = np.full(n_items, -1, dtype=np.int64)
    for u in range(len(indptr) - 1):
        for place in range(indptr[u], indptr[u + 1]):
            before = latest[item[place]]
            repeated = before >= indptr[u]
            if len(sums):
                sums[before if repeated else place] += weights[place] if len(weights) else 1.0
            if not repeated or last:
                latest[item[place]] = place
            if repeated:
                kept[before if last else place] = False
    return kept


@numba.njit(nogil=True, cache=True)
def compact(kept, indptr, items, rows, times):
    """Move the events of a mask to the front, in place; return their indptr (U + 1,). ``times`` may be empty."""
    left = np.zeros(len(indptr), dtype=np.int64)
    end = 0
    for u in range(len(indptr) - 1):
        for place in range(indptr[u], indptr[u + 1]):
            if kept[place]:
                items[end], rows[end] = items[place], rows[place]
                if len(times):
                    times[end] = times[place]
                end += 1
        left[u + 1] = end
    return left


@numba.njit(nogil=True, cache=True)
def core(user, item, n_users, n_items, user_core, item_core):
    """Mask (E,) of the largest subset with at least user_core events per user and item_core events per item."""
    of_user, of_item = np.zeros(n_users, dtype=np.int64), np.zeros(n_items, dtype=np.int64)
    for row in range(len(user)):
        of_user[user[row]] += 1
        of_item[item[row]] += 1
    kept = np.ones(len(user), dtype=np.bool_)
    changed = True
    while changed:
        changed = False
        for row in range(len(user)):
            if kept[row] and (of_user[user[row]] < user_core or of_item[item[row]] < item_core):
                kept[row] = False
                of_user[user[row]] -= 1
                of_item[item[row]] -= 1
                changed = True
    return kept


@numba.njit(nogil=True, cache=True)
def sum_of_pairs(user, item, users):
    """Sum (mod 2⁶⁴) of a mixed hash of each (user, item) of some users (mask (U,)), independent of the order.

    The mixing function is that of splitmix64 (Steele et al., OOPSLA 2014).
    """
    total = np.uint64(0)
    for row in range(len(user)):
        if users[user[row]]:
            z = (np.uint64(user[row]) << np.uint64(32) | np.uint64(item[row])) + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            total += z ^ (z >> np.uint64(31))
    return total

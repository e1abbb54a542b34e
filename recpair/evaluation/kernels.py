"""Numba kernels for top-k ranking (one scan of the scores, without sorting) and lookup of hits."""

import numba
import numpy as np

CHUNK = 64  # scores compared at once with the worst kept score


@numba.njit(inline="always")
def _worse(score_a, item_a, score_b, item_b):
    """Return True if a is ranked below b: a lower score, or the same score and a higher item."""
    return score_a < score_b or (score_a == score_b and item_a > item_b)


@numba.njit(nogil=True)
def _sift_down(scores, items, size, place):
    """Restore a heap whose root is the worst kept item."""
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and _worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not _worse(scores[child], items[child], scores[place], items[place]):
            return
        scores[place], scores[child] = scores[child], scores[place]
        items[place], items[child] = items[child], items[place]
        place = child


@numba.njit(nogil=True)
def _top_of_row(row, hidden, best_items, best_scores):
    """Fill one row of the result; ``hidden`` is sorted. Return True if a score is NaN."""
    k = len(best_items)
    best_items[:] = np.int32(2**31 - 1)
    best_scores[:] = -np.inf
    n_items, n_hidden, next_hidden = len(row), len(hidden), 0
    worst = np.float32(-np.inf)
    for start in range(0, n_items, CHUNK):
        stop = min(start + CHUNK, n_items)
        beaten = False
        for i in range(start, stop):  # without a branch, so that the compiler vectorises it
            beaten |= not (row[i] <= worst)
        if not beaten:
            continue
        for i in range(start, stop):
            score = row[i]
            if score <= worst:
                continue
            if np.isnan(score):
                return True
            while next_hidden < n_hidden and hidden[next_hidden] < i:
                next_hidden += 1
            if next_hidden < n_hidden and hidden[next_hidden] == i:
                continue
            best_scores[0], best_items[0] = score, i
            _sift_down(best_scores, best_items, k, 0)
            worst = best_scores[0]
    for size in range(k - 1, 0, -1):  # heap sort: move the worst to the end
        best_scores[0], best_scores[size] = best_scores[size], best_scores[0]
        best_items[0], best_items[size] = best_items[size], best_items[0]
        _sift_down(best_scores, best_items, size, 0)
    for place in range(k):
        if best_scores[place] == -np.inf:
            best_items[place] = -1
    return False


@numba.njit(nogil=True)
def _top_of(b, scores, indptr, hidden, items, best):
    return _top_of_row(scores[b], hidden[indptr[b] : indptr[b + 1]], items[b], best[b])


@numba.njit(parallel=True, nogil=True, cache=True)
def top_k_rows(scores, indptr, hidden, items, best, nan):
    """Find the k best items of each row: ``items`` (B, k), −1 if none is left, their scores ``best``, and rows with a NaN.

    ``hidden[indptr[b]:indptr[b + 1]]``, in ascending order, are excluded from row b, as are scores of −∞.
    """
    for b in numba.prange(len(scores)):
        nan[b] = _top_of(b, scores, indptr, hidden, items, best)


@numba.njit(nogil=True, cache=True)
def top_k_few_rows(scores, indptr, hidden, items, best, nan):
    """``top_k_rows`` in the calling thread, without the overhead of threads for a few rows."""
    for b in range(len(scores)):
        nan[b] = _top_of(b, scores, indptr, hidden, items, best)


@numba.njit(parallel=True, nogil=True, cache=True)
def find_rows(items, indptr, relevant):
    """Position of each item of ``items`` (B, K) in ``relevant``, -1 if it is not relevant for its row.

    ``relevant[indptr[b]:indptr[b + 1]]`` are the distinct relevant items of row b, in ascending order.
    """
    n_rows, k = items.shape
    places = np.empty((n_rows, k), dtype=np.int64)
    for b in numba.prange(n_rows):
        own = relevant[indptr[b] : indptr[b + 1]]
        for rank in range(k):
            place = np.searchsorted(own, items[b, rank])
            found = place < len(own) and own[place] == items[b, rank]
            places[b, rank] = place + indptr[b] if found else -1
    return places

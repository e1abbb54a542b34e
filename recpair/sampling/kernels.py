"""Sampling kernels in Numba; every random number is a function of (key, counter), independent of threads.

The generator is splitmix64 (Steele et al., OOPSLA 2014) evaluated at a position: its state after n steps is key + n·γ.
An integer below n is the upper half of the product with n (Lemire, TOMACS 2019); the bias is below n / 2³².
"""

import numba
import numpy as np

GAMMA = np.uint64(0x9E3779B97F4A7C15)
TRIES = 12  # rejections before the exact draw
STRIDE = np.uint64(16)  # counters that a draw may use


@numba.njit(inline="always")
def bits(key, counter):
    """Return 64 random bits."""
    z = key + (counter + np.uint64(1)) * GAMMA
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(inline="always")
def below(random, n):
    """Return an integer in 0 … n − 1 from 64 random bits, n < 2³²."""
    return np.int64(((random >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@numba.njit(inline="always")
def fraction(random):
    """Return a float in [0, 1) from 64 random bits."""
    return np.float64(random >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(inline="always")
def holds(taken, user, item):
    """Return True if the user has seen the item: a filter rejects nearly all unseen items, then a search decides.

    ``taken`` is (indptr, items, word_indptr, words): each user's items, ascending and distinct, and a bit set whose
    size is a power of two, in which bit ``item mod size`` represents the item.
    """
    indptr, own, word_indptr, words = taken
    first_word = word_indptr[user]
    bit = item & (((word_indptr[user + 1] - first_word) << 6) - 1)
    if (words[first_word + (bit >> 6)] >> np.uint64(bit & 63)) & np.uint64(1) == 0:
        return False
    start, size = indptr[user], indptr[user + 1] - indptr[user]
    while size > 1:
        half = size >> 1
        start += half if own[start + half - 1] < item else 0
        size -= half
    return own[start] == item


@numba.njit(cache=True)
def fill_filter(indptr, own, word_indptr, words):
    """Set the filter bits of every user's items."""
    for user in range(len(indptr) - 1):
        first_word = word_indptr[user]
        mask = ((word_indptr[user + 1] - first_word) << 6) - 1
        for place in range(indptr[user], indptr[user + 1]):
            bit = own[place] & mask
            words[first_word + (bit >> 6)] |= np.uint64(1) << np.uint64(bit & 63)


@numba.njit
def nth_missing(taken, user, n):
    """Return the n-th (from 0) item that the user has not seen."""
    indptr, own = taken[0], taken[1]
    start, high = indptr[user], indptr[user + 1]
    low = start
    while low < high:
        middle = (low + high) // 2
        if own[middle] - (middle - start) <= n:
            low = middle + 1
        else:
            high = middle
    return n + (low - start)


@numba.njit(inline="always")
def _uniform(key, counter, taken, user, n_items):
    """Draw an unseen item uniformly: by rejection, then by an exact draw."""
    first = counter * STRIDE
    for attempt in range(TRIES):
        item = below(bits(key, first + np.uint64(attempt)), n_items)
        if not holds(taken, user, item):
            return item
    missing = n_items - (taken[0][user + 1] - taken[0][user])
    return nth_missing(taken, user, below(bits(key, first + np.uint64(TRIES)), missing))


@numba.njit(nogil=True, cache=True)
def uniform(key, first, users, taken, n_items, out):
    """Fill out (Q, N) with unseen items of the users, drawn uniformly."""
    n = out.shape[1]
    for q in range(len(users)):
        for j in range(n):
            out[q, j] = _uniform(key, first + np.uint64(q * n + j), taken, users[q], n_items)


@numba.njit(parallel=True, nogil=True, cache=True)
def uniform_on_all_cores(key, first, users, taken, n_items, out):
    """Draw the same numbers as ``uniform`` on all of Numba's threads, for many draws outside of training."""
    n = out.shape[1]
    for q in numba.prange(len(users)):
        for j in range(n):
            out[q, j] = _uniform(key, first + np.uint64(q * n + j), taken, users[q], n_items)


@numba.njit(nogil=True, cache=True)
def weighted(key, first, users, taken, weights, keep, alias, out):
    """Fill out (Q, N) with unseen items of the users, drawn in proportion to their weights.

    ``keep`` and ``alias`` are the alias table of the weights. A user who has seen every item of positive weight gets
    uniform items.
    """
    n, n_items = out.shape[1], len(weights)
    for q in range(len(users)):
        for j in range(n):
            counter = (first + np.uint64(q * n + j)) * STRIDE
            item = -1
            for attempt in range(TRIES):
                random = bits(key, counter + np.uint64(attempt))
                place = below(random, n_items)
                low = np.float64(random & np.uint64(0xFFFFFFFF)) / 4294967296.0
                drawn = place if low < keep[place] else alias[place]
                if not holds(taken, users[q], drawn):
                    item = drawn
                    break
            out[q, j] = item if item >= 0 else _weighted_exactly(key, counter, taken, users[q], weights)


@numba.njit
def _weighted_exactly(key, counter, taken, user, weights):
    """Draw an item by a linear scan over the weights of the user's unseen items."""
    own, start, stop = taken[1], taken[0][user], taken[0][user + 1]
    total, place = 0.0, start
    for item in range(len(weights)):
        if place < stop and own[place] == item:
            place += 1
        else:
            total += weights[item]
    random = bits(key, counter + np.uint64(TRIES))
    if total <= 0.0:
        return nth_missing(taken, user, below(random, len(weights) - (stop - start)))
    left, place, last = fraction(random) * total, start, -1
    for item in range(len(weights)):
        if place < stop and own[place] == item:
            place += 1
        elif weights[item] > 0.0:
            last = item
            left -= weights[item]
            if left < 0.0:
                break
    return last


@numba.njit(nogil=True, cache=True)
def in_batch(key, first, users, positives, taken, n_items, out):
    """Fill out (Q, N) with positives of other queries that the user has not seen; else with uniform items."""
    n = out.shape[1]
    for q in range(len(users)):
        for j in range(n):
            counter = first + np.uint64(q * n + j)
            item = np.int64(-1)
            for attempt in range(TRIES):
                drawn = positives[below(bits(key, counter * STRIDE + np.uint64(attempt)), len(positives))]
                if not holds(taken, users[q], drawn):
                    item = drawn
                    break
            if item < 0:
                item = _uniform(key ^ GAMMA, counter, taken, users[q], n_items)
            out[q, j] = item


@numba.njit(nogil=True, cache=True)
def mark_known(users, taken, shared, n_items, out):
    """Set out (Q, N) where the query's user has seen an item of shared (N,); each query's items are looked up once."""
    indptr, own = taken[0], taken[1]
    first, further = np.full(n_items, -1, dtype=np.int64), np.full(len(shared), -1, dtype=np.int64)
    for place in range(len(shared)):  # repeated draws of an item form a linked list
        further[place] = first[shared[place]]
        first[shared[place]] = place
    for q in range(len(users)):
        for entry in range(indptr[users[q]], indptr[users[q] + 1]):
            place = first[own[entry]]
            while place >= 0:
                out[q, place] = True
                place = further[place]


@numba.njit(nogil=True, cache=True)
def pools(key, first, users, rows, indptr, out):
    """Fill out (Q, P) with rows of each user's interactions, in random order.

    Rows are drawn without replacement if the user has at least P, else with replacement. If ``rows`` is not empty, its
    entry is column 0 of the query.
    """
    n_candidates = out.shape[1]
    chosen = np.empty(n_candidates, dtype=np.int64)  # positions already chosen, ascending
    for q in range(len(users)):
        start = indptr[users[q]]
        size = indptr[users[q] + 1] - start
        done = 0
        if len(rows):
            out[q, 0] = rows[q]
            chosen[0] = rows[q] - start
            done = 1
        counter = (first + np.uint64(q)) * np.uint64(n_candidates)
        for p in range(done, n_candidates):
            random = bits(key, counter + np.uint64(p))
            if size < n_candidates:
                out[q, p] = start + below(random, size)
                continue
            place = below(random, size - p)
            at = 0
            while at < p and place >= chosen[at]:  # skip chosen positions
                place += 1
                at += 1
            for j in range(p, at, -1):
                chosen[j] = chosen[j - 1]
            chosen[at] = place
            out[q, p] = start + place


@numba.njit(nogil=True, cache=True)
def draw_of(key, first, n, out):
    """Fill out (Q,) with integers below n."""
    for q in range(len(out)):
        out[q] = below(bits(key, first + np.uint64(q)), n)


@numba.njit(nogil=True, cache=True)
def pick(key, first, thresholds, drawn, out):
    """Fill out (Q, N) from drawn (sources, Q, N): the source of each entry is drawn by the cumulative shares."""
    n = out.shape[1]
    for q in range(out.shape[0]):
        for j in range(n):
            u = fraction(bits(key, first + np.uint64(q * n + j)))
            source = 0
            while source < len(thresholds) - 1 and u >= thresholds[source]:
                source += 1
            out[q, j] = drawn[source, q, j]

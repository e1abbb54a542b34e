"""Numba kernels: scores from sparse item–item weights, and sums over the interaction graph."""

import numba
import numpy as np


@numba.njit(parallel=True, nogil=True, cache=True)
def add_rows(starts, items, indptr, indices, values, out):
    """out (Q, C) += the rows of a CSR (I, C) listed for each query in ``items[starts[q]:starts[q + 1]]``."""
    for q in numba.prange(len(starts) - 1):
        for place in range(starts[q], starts[q + 1]):
            item = items[place]
            for entry in range(indptr[item], indptr[item + 1]):
                out[q, indices[entry]] += values[entry]


@numba.njit(parallel=True, nogil=True, cache=True)
def add_weighted_rows(dense, indptr, indices, values, out):
    """out (Q, C) += dense (Q, R) · CSR (R, C), for dense rows with many zeros."""
    for q in numba.prange(len(dense)):
        for row in range(dense.shape[1]):
            weight = dense[q, row]
            if weight != 0:
                for entry in range(indptr[row], indptr[row + 1]):
                    out[q, indices[entry]] += weight * values[entry]


@numba.njit(parallel=True, nogil=True, cache=True)
def add_to_users(starts, items, weights, indptr, users, out):
    """out (U, Q)[u, q] += weights[i] for each item i of query q and each user u of the item, as listed by a CSR (I, U)."""
    for q in numba.prange(len(starts) - 1):
        for place in range(starts[q], starts[q + 1]):
            item = items[place]
            weight = weights[item]
            for entry in range(indptr[item], indptr[item + 1]):
                out[users[entry], q] += weight


@numba.njit(nogil=True, cache=True)
def _sum(dense, rows, out):
    """out (D,) = sum of the rows of dense (C, D), four at a time: fewer reads and writes of ``out``."""
    out[:] = 0
    whole = len(rows) - len(rows) % 4
    for place in range(0, whole, 4):
        first, second = dense[rows[place]], dense[rows[place + 1]]
        third, fourth = dense[rows[place + 2]], dense[rows[place + 3]]
        for d in range(len(out)):
            out[d] += (first[d] + second[d]) + (third[d] + fourth[d])
    for place in range(whole, len(rows)):
        row = dense[rows[place]]
        for d in range(len(out)):
            out[d] += row[d]


@numba.njit(parallel=True, nogil=True, cache=True)
def sum_rows(indptr, indices, scale, dense, bounds, weight, added, out):
    """out (R, D) = scale (R,) · (sums of rows of dense (C, D), listed by a CSR (R, C)) + weight · added (R, D).

    Threads process the rows between ``bounds``, which should have equal numbers of entries. Without ``weight``, ``added`` is
    not read.
    """
    for part in numba.prange(len(bounds) - 1):
        for row in range(bounds[part], bounds[part + 1]):
            total = out[row]
            _sum(dense, indices[indptr[row] : indptr[row + 1]], total)
            for d in range(len(total)):
                total[d] *= scale[row]
            if weight != 0:
                for d in range(len(total)):
                    total[d] += weight * added[row, d]


@numba.njit(parallel=True, nogil=True, cache=True)
def sum_rows_transposed(indptr, indices, scale, dense, bounds, out):
    """out (D, R) = the transposed sums of rows of dense (C, D or more), listed by a CSR (R, C), times scale (R,)."""
    for part in numba.prange(len(bounds) - 1):
        totals = np.empty((16, dense.shape[1]), dense.dtype)  # written as 16 columns: whole cache lines
        for first in range(bounds[part], bounds[part + 1], 16):
            size = min(16, bounds[part + 1] - first)
            for r in range(size):
                _sum(dense, indices[indptr[first + r] : indptr[first + r + 1]], totals[r])
            for d in range(len(out)):
                for r in range(size):
                    out[d, first + r] = scale[first + r] * totals[r, d]


@numba.njit(nogil=True, cache=True)
def _count_common(item, items, users, common, found):
    """Count the users that items share with ``item``: common (I,), and the items found; return their number."""
    (indptr, indices), (user_indptr, user_items) = items, users
    n_found = 0
    for entry in range(indptr[item], indptr[item + 1]):
        user = indices[entry]
        for place in range(user_indptr[user], user_indptr[user + 1]):
            other = user_items[place]
            if other != item:
                if common[other] == 0:
                    found[n_found] = other
                    n_found += 1
                common[other] += 1
    return n_found


@numba.njit(nogil=True, cache=True)
def _sweep(candidates, bounds, items, l1, l2, weights, residual, used):
    """Update the weight (I,) of each candidate once; return the largest change.

    The minimum over one weight is max(0, ⟨x_i, e⟩ + d_i·w_i − l1) / (d_i + l2), e the residual (U,). Candidates of weight
    0 whose ``bounds``, at least ⟨x_i, e⟩, are not above l1 keep it. ``used`` (I,) marks the changed weights.
    """
    indptr, indices = items
    largest = 0.0
    for item in candidates:
        weight = weights[item]
        if weight == 0 and bounds[item] <= l1:
            continue
        low, high = indptr[item], indptr[item + 1]
        slope = (high - low) * weight
        for entry in range(low, high):
            slope += residual[indices[entry]]
        change = max(0.0, slope - l1) / (high - low + l2) - weight
        if change != 0:
            weights[item], used[item] = weight + change, True
            for entry in range(low, high):
                residual[indices[entry]] -= change
            largest = max(largest, abs(change))
    return largest


@numba.njit(nogil=True, cache=True)
def _bound_slopes(item, items, users, residual, bounds):
    """bounds (I,) = Σ e_u over the users whom each item shares with ``item``: the other users' residuals are not positive."""
    (indptr, indices), (user_indptr, user_items) = items, users
    for entry in range(indptr[item], indptr[item + 1]):
        user = indices[entry]
        for place in range(user_indptr[user], user_indptr[user + 1]):
            bounds[user_items[place]] = 0.0
    for entry in range(indptr[item], indptr[item + 1]):
        user = indices[entry]
        for place in range(user_indptr[user], user_indptr[user + 1]):
            bounds[user_items[place]] += residual[user]


@numba.njit(nogil=True, cache=True)
def _elastic_net(item, candidates, items, users, penalties, limits, weights, residual, bounds, used):
    """Minimise over the non-negative weights of the candidates; all weights are 0 before.

    Sweeps over all candidates alternate with sweeps over those with a positive weight until no weight changes by more
    than the tolerance.
    """
    (l1, l2), (sweeps, tolerance) = penalties, limits
    while sweeps > 0:
        _bound_slopes(item, items, users, residual, bounds)
        largest = _sweep(candidates, bounds, items, l1, l2, weights, residual, used)
        sweeps -= 1
        if largest <= tolerance:
            return
        active = candidates[weights[candidates] > 0]
        while sweeps > 0 and largest > tolerance:
            largest = _sweep(active, bounds, items, l1, l2, weights, residual, used)
            sweeps -= 1


@numba.njit(parallel=True, nogil=True, cache=True)
def slim(first, items, users, penalties, limits, slots, found, values, counts):
    """Columns of SLIM's weights from ``first``: the positive weights ``values`` of the items ``found``, in ``counts``.

    ``items`` and ``users`` are the two directions of the binary matrix in CSR, ``penalties`` l1 and l2, ``limits`` the
    number of sweeps and the tolerance. Column c is written from ``slots[c]``.
    """
    (indptr, indices), (user_indptr, _) = items, users
    n_items, n_parts = len(indptr) - 1, 64
    for part in numba.prange(n_parts):
        weights, bounds = np.zeros(n_items), np.zeros(n_items)
        residual, used = np.zeros(len(user_indptr) - 1), np.zeros(n_items, np.bool_)
        common, listed = np.zeros(n_items, np.int32), np.empty(n_items, np.int32)
        for column in range(part, len(counts), n_parts):
            item = first + column
            n_listed = _count_common(item, items, users, common, listed)
            others = np.sort(listed[:n_listed])
            candidates = others[common[others] > penalties[0]]  # for fewer common users the weight is 0
            common[others] = 0
            residual[indices[indptr[item] : indptr[item + 1]]] = 1.0
            _elastic_net(item, candidates, items, users, penalties, limits, weights, residual, bounds, used)
            residual[indices[indptr[item] : indptr[item + 1]]] = 0.0
            place = slots[column]
            for other in candidates:
                if weights[other] > 0:
                    found[place], values[place] = other, weights[other]
                    place += 1
                if used[other]:
                    residual[indices[indptr[other] : indptr[other + 1]]] = 0.0
            weights[candidates] = 0.0
            used[candidates] = False
            counts[column] = place - slots[column]


@numba.njit(nogil=True, cache=True)
def _place(ascending, low, high, value):
    """The first place in low … high whose value is not below ``value``."""
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(nogil=True, cache=True)
def _submatrix(indptr, indices, values, diagonal, chosen, left):
    """The lower triangle of left (n, n) = the rows and columns ``chosen`` (ascending) of a CSR with another diagonal."""
    for r in range(len(chosen)):
        place, end = indptr[chosen[r]], indptr[chosen[r] + 1]
        for c in range(r):
            place = _place(indices, place, end, chosen[c])
            left[r, c] = values[place] if place < end and indices[place] == chosen[c] else 0.0
        left[r, r] = diagonal[chosen[r]]


@numba.njit(nogil=True, cache=True)
def _solve(left, x):
    """Replace x by the solution of left · x = x, left (n, n) positive definite, given and destroyed in its lower triangle."""
    n = len(x)
    for r in range(n):
        for c in range(r + 1):
            total = left[r, c]
            for k in range(c):
                total -= left[r, k] * left[c, k]
            left[r, c] = np.sqrt(total) if r == c else total / left[c, c]
        total = x[r]
        for k in range(r):
            total -= left[r, k] * x[k]
        x[r] = total / left[r, r]
    for r in range(n - 1, -1, -1):
        x[r] /= left[r, r]
        for k in range(r):
            x[k] -= left[r, k] * x[r]


@numba.njit(parallel=True, nogil=True, cache=True)
def inverse_factor(indptr, indices, values, diagonal, found, factor, counts, variances):
    """Sparse approximate inverse factor: WᵀD⁻¹W ≈ A⁻¹, W (I, I) unit lower triangular with n entries below it a row.

    Row i of W minimises w A wᵀ over all items before i if there are at most n, else over the n with the largest positive
    a_ij² / a_jj, in ``found`` (I, n), ``factor`` (I, n) and ``counts`` (I,); ``variances`` D (I,) are the minima. A is a CSR
    with sorted indices, its diagonal replaced.
    """
    n_items, n = found.shape
    n_parts = 256
    for part in numba.prange(n_parts):
        left = np.empty((n, n))
        for item in range(part, n_items, n_parts):
            start = indptr[item]
            end = _place(indices, start, indptr[item + 1], item)
            chosen, right = indices[start:end], values[start:end].astype(np.float64)
            if item <= n:
                chosen, entries = np.arange(item).astype(np.int32), right
                right = np.zeros(item)
                right[indices[start:end]] = entries
            elif len(chosen) > n:
                strongest = np.argsort(-(right**2) / diagonal[chosen], kind="mergesort")[:n]
                strongest.sort()
                chosen, right = chosen[strongest], right[strongest]
            _submatrix(indptr, indices, values, diagonal, chosen, left)
            solution = right.copy()
            _solve(left, solution)
            counts[item] = len(chosen)
            found[item, : len(chosen)] = chosen
            factor[item, : len(chosen)] = -solution
            variances[item] = diagonal[item] - np.sum(right * solution)


@numba.njit(parallel=True, nogil=True, cache=True)
def add_sparse_product(indptr, indices, values, other_indptr, other_indices, other_values, out):
    """out (Q, C) += CSR (Q, R) · CSR (R, C); each row is summed by one thread, in the order of its entries."""
    for q in numba.prange(len(indptr) - 1):
        for entry in range(indptr[q], indptr[q + 1]):
            row, value = indices[entry], values[entry]
            for place in range(other_indptr[row], other_indptr[row + 1]):
                out[q, other_indices[place]] += value * other_values[place]

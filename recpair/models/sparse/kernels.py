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

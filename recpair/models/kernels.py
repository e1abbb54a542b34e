"""Numba kernels: products with sparse matrices and table rows, and least squares."""

import numba
import numpy as np


@numba.njit(parallel=True, nogil=True, cache=True)
def multiply(indptr, indices, values, dense, bounds, out):
    """out (R, D) = CSR (R, C) · dense (C, D); threads process rows between ``bounds``, with equal entry counts."""
    for part in numba.prange(len(bounds) - 1):
        for row in range(bounds[part], bounds[part + 1]):
            out[row, :] = 0.0
            for entry in range(indptr[row], indptr[row + 1]):
                value = values[entry]
                source = dense[indices[entry]]
                for d in range(dense.shape[1]):
                    out[row, d] += value * source[d]


@numba.njit(parallel=True, nogil=True, cache=True)
def least_squares(indptr, indices, values, fixed, gram, weight, ridge, out):
    """One half-step of implicit ALS: out (R, D), each row from the vectors (C, D) of its entries.

    Solves (G + w·Σ r·v vᵀ + λ·1) x = Σ (1 + w·r)·v for each row, v over its entries and r their values.
    """
    dim = fixed.shape[1]
    for row in numba.prange(len(indptr) - 1):
        left = gram.copy()
        right = np.zeros(dim, dtype=fixed.dtype)
        for d in range(dim):
            left[d, d] += ridge
        for entry in range(indptr[row], indptr[row + 1]):
            vector, confidence = fixed[indices[entry]], weight * values[entry]
            for i in range(dim):
                right[i] += (1.0 + confidence) * vector[i]
                for j in range(dim):
                    left[i, j] += confidence * vector[i] * vector[j]
        out[row] = np.linalg.solve(left, right)


@numba.njit(nogil=True, cache=True, fastmath={"reassoc"})
def _dot(a, b):
    """⟨a, b⟩ of two rows (D,), summed in the order that is fastest with vector instructions.

    A separate function, so that this order is fixed before it is inlined: inlined as source, code from Numba's cache
    and newly compiled code round differently.
    """
    total = a.dtype.type(0)
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@numba.njit(nogil=True, cache=True)
def _add(factor, vector, out):
    for d in range(len(out)):
        out[d] += factor * vector[d]


@numba.njit(nogil=True, cache=True)
def _gram_times(gram, ridge, x, out):
    """out (D,) = (G + λ·1) x, four rows of G (D, D) at a time."""
    dim = len(out)
    for d in range(dim):
        out[d] = ridge * x[d]
    whole = dim - dim % 4
    for k in range(0, whole, 4):
        first, second, third, fourth = gram[k], gram[k + 1], gram[k + 2], gram[k + 3]
        a, b, c, e = x[k], x[k + 1], x[k + 2], x[k + 3]
        for d in range(dim):
            out[d] += (a * first[d] + b * second[d]) + (c * third[d] + e * fourth[d])
    for k in range(whole, dim):
        _add(x[k], gram[k], out)


@numba.njit(nogil=True, cache=True)
def _conjugate_gradients(rows, values, fixed, gram, weight, ridge, steps, x, work):
    """Improve the solution x (D,) of one row of ``least_squares`` by some steps, with ``work`` (3, D)."""
    residual, direction, product = work[0], work[1], work[2]  # unpacked, Numba would not know that they are contiguous
    one = x.dtype.type(1)
    _gram_times(gram, ridge, x, residual)
    for d in range(len(x)):
        residual[d] = -residual[d]
    for entry in range(len(rows)):
        vector, confidence = fixed[rows[entry]], weight * values[entry]
        _add(one + confidence - confidence * _dot(vector, x), vector, residual)
    direction[:] = residual
    square = _dot(residual, residual)
    for _ in range(steps):
        if square < 1e-20:
            return
        _gram_times(gram, ridge, direction, product)
        for entry in range(len(rows)):
            vector = fixed[rows[entry]]
            _add(weight * values[entry] * _dot(vector, direction), vector, product)
        step = square / _dot(direction, product)
        _add(step, direction, x)
        _add(-step, product, residual)
        last, square = square, _dot(residual, residual)
        for d in range(len(x)):
            direction[d] = residual[d] + square / last * direction[d]


@numba.njit(parallel=True, nogil=True, cache=True)
def approximate_least_squares(indptr, indices, values, fixed, gram, weight, ridge, steps, bounds, out):
    """``least_squares`` by some steps of conjugate gradients from the given ``out`` (R, D).

    Threads process rows between ``bounds``, with equal entry counts.
    """
    for part in numba.prange(len(bounds) - 1):
        work = np.empty((3, fixed.shape[1]), fixed.dtype)
        for row in range(bounds[part], bounds[part + 1]):
            own = slice(indptr[row], indptr[row + 1])
            _conjugate_gradients(indices[own], values[own], fixed, gram, weight, ridge, steps, out[row], work)


@numba.njit(parallel=True, nogil=True, cache=True)
def nearest(
    indptr,
    indices,
    values,
    columns_indptr,
    columns,
    column_values,
    row_norms,
    norms,
    shrinkage,
    with_self,
    neighbours,
    weights,
):
    """Find the items with the largest weights of each item: neighbours (I, k) and weights (I, k), best first.

    weight(i, j) = Σ_u x_ui · y_uj / (row_norms[i] · norms[j] + shrinkage), with x in ``indptr, indices, values`` (users
    by item) and y in ``columns_indptr, columns, column_values`` (items by user), whose products must not be 0.
    ``with_self`` includes j = i. Unused entries keep weight 0. Ties are broken by the lower item index.
    """
    n_items, k = neighbours.shape
    n_parts = 64
    for part in numba.prange(n_parts):
        common = np.zeros(n_items, dtype=np.float32)
        touched = np.empty(n_items, dtype=np.int32)
        for item in range(part, n_items, n_parts):
            n_touched = 0
            for entry in range(indptr[item], indptr[item + 1]):
                user = indices[entry]
                for place in range(columns_indptr[user], columns_indptr[user + 1]):
                    other = columns[place]
                    if with_self or other != item:
                        if common[other] == 0.0:
                            touched[n_touched] = other
                            n_touched += 1
                        common[other] += values[entry] * column_values[place]
            found = np.sort(touched[:n_touched])
            weight = np.empty(n_touched, dtype=np.float32)
            for j in range(n_touched):
                other = found[j]
                weight[j] = common[other] / (row_norms[item] * norms[other] + shrinkage)
                common[other] = 0.0
            best = np.argsort(-weight, kind="mergesort")[:k]
            for j in range(len(best)):
                neighbours[item, j] = found[best[j]]
                weights[item, j] = weight[best[j]]


WORTH_THREADS = 2**21  # multiplications from which a second thread saves more than it costs to wake


@numba.njit(nogil=True, cache=True)
def _inner_products(queries, table, items, out, low, high):
    for q in range(low, high):
        query = queries[q]
        for c in range(items.shape[1]):
            out[q, c] = _dot(query, table[items[q, c]])


@numba.njit(nogil=True, cache=True)
def _add_rows(weights, table, items, out, low, high):
    for q in range(low, high):
        for c in range(items.shape[1]):
            row, weight = table[items[q, c]], weights[q, c]
            for d in range(out.shape[1]):
                out[q, d] += weight * row[d]


@numba.njit(nogil=True, cache=True)
def _scatter_rows(weights, queries, items, out, low, high):
    for q in range(len(queries)):
        query = queries[q, low:high]
        for c in range(items.shape[1]):
            row, weight = out[items[q, c], low:high], weights[q, c]
            for d in range(len(row)):  # slices from 0: Numba skips the sign check and vectorises
                row[d] += weight * query[d]


@numba.njit(parallel=True, nogil=True, cache=True)
def _inner_products_on_threads(queries, table, items, out, parts):
    for part in numba.prange(parts):
        _inner_products(queries, table, items, out, part * len(out) // parts, (part + 1) * len(out) // parts)


@numba.njit(parallel=True, nogil=True, cache=True)
def _add_rows_on_threads(weights, table, items, out, parts):
    for part in numba.prange(parts):
        _add_rows(weights, table, items, out, part * len(out) // parts, (part + 1) * len(out) // parts)


@numba.njit(parallel=True, nogil=True, cache=True)
def _scatter_rows_on_threads(weights, queries, items, out, parts):
    for part in numba.prange(parts):
        dim = out.shape[1]
        _scatter_rows(weights, queries, items, out, part * dim // parts, (part + 1) * dim // parts)


def inner_products(queries, table, items, out):
    """out (Q, C) = products of queries (Q, D) with the rows ``items`` (Q, C) of table (I, D)."""
    if threads := _threads(items.size * queries.shape[1]):
        _inner_products_on_threads(queries, table, items, out, threads)
    else:
        _inner_products(queries, table, items, out, 0, len(out))


def add_rows(weights, table, items, out):
    """out (Q, D) += the rows ``items`` (Q, C) of table (I, D), weighted by weights (Q, C)."""
    if threads := _threads(items.size * out.shape[1]):
        _add_rows_on_threads(weights, table, items, out, threads)
    else:
        _add_rows(weights, table, items, out, 0, len(out))


def scatter_rows(weights, queries, items, out):
    """out (I, D) at ``items`` (Q, C) += queries (Q, D), weighted by weights (Q, C).

    A thread processes some columns of D for all queries in order: no two threads write to the same entry, and the sums
    do not depend on the number of threads.
    """
    if threads := _threads(items.size * out.shape[1]):
        _scatter_rows_on_threads(weights, queries, items, out, threads)
    else:
        _scatter_rows(weights, queries, items, out, 0, out.shape[1])


@numba.njit(nogil=True, cache=True)
def sum_of_squares(table, rows):
    """Σ ‖table[row]‖² over rows (R,), accumulated in 64 bits."""
    total = 0.0
    for r in rows:
        total += _dot(table[r], table[r])
    return total


@numba.njit(nogil=True, cache=True)
def add_scaled_rows(scale, table, rows, out):
    """out (n, D) at ``rows`` (R,) += the same rows of table (n, D), times scale (1,)."""
    factor = scale[0]
    for r in rows:
        source, target = table[r], out[r]
        for d in range(len(target)):
            target[d] += factor * source[d]


def _threads(work: int) -> int:
    """Return the number of threads to use; 0 for the calling thread only."""
    threads = int(numba.get_num_threads())
    return threads if work >= WORTH_THREADS and threads > 1 else 0

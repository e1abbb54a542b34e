"""The k best, against a stable sort."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.errors import TrainingError
from recpair.evaluation.ranking import top_k, top_k_csr


def naive(scores, hidden, k):
    """Sort by (score descending, item ascending), drop what is hidden or −∞, pad with −1."""
    result = []
    for row, out in zip(scores, hidden, strict=True):
        kept = [i for i in range(len(row)) if i not in set(out) and row[i] > -np.inf]
        best = sorted(kept, key=lambda i: (-row[i], i))[:k]
        result.append(best + [-1] * (k - len(best)))
    return result


@st.composite
def cases(draw):
    """Small integers as scores, so that ties are common; lengths beside multiples of the kernel's chunk."""
    n_items = draw(st.sampled_from([1, 5, 63, 64, 65, 200]))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scores = generator.integers(-3, draw(st.integers(-2, 50)), size=(4, n_items)).astype(np.float32)
    scores[generator.random(scores.shape) < 0.05] = -np.inf
    hidden = [np.flatnonzero(generator.random(n_items) < draw(st.sampled_from([0.0, 0.3, 1.0]))) for _ in range(4)]
    return scores, [generator.permutation(h) for h in hidden], draw(st.integers(1, n_items))


@given(cases())
@settings(deadline=None)
def test_it_is_a_stable_sort(case):
    scores, hidden, k = case
    before = scores.copy()
    items, best = top_k(scores, hidden, k)
    assert items.tolist() == naive(scores, hidden, k)
    found = items >= 0
    rows = np.nonzero(found)[0]
    assert (best[found] == scores[rows, items[found]]).all()
    assert (best[~found] == -np.inf).all()
    assert (scores == before).all()


def test_the_answer_does_not_depend_on_threads():
    scores = np.random.default_rng(0).random((100, 3000), dtype=np.float32)
    hidden = [np.arange(row) for row in range(100)]
    threads = numba.get_num_threads()
    many = top_k(scores, hidden, 20)
    numba.set_num_threads(1)
    try:
        one = top_k(scores, hidden, 20)
    finally:
        numba.set_num_threads(threads)
    assert (many[0] == one[0]).all()
    assert (many[1] == one[1]).all()


def test_a_nan_is_an_error_and_not_a_rank():
    scores = np.zeros((3, 200), dtype=np.float32)
    scores[1, 150] = np.nan
    with pytest.raises(TrainingError, match="query 1 is NaN"):
        top_k(scores, [np.empty(0, dtype=np.int32)] * 3, 5)


def test_nothing_is_read_or_written_beyond_the_arrays():
    """k = 0 has no heap to write to; rows without a hidden list have no end to read to."""
    scores, nothing = np.zeros((3, 4), dtype=np.float32), np.empty(0, dtype=np.int32)
    for hidden, k in (([nothing] * 3, 0), ([nothing] * 3, -1), ([nothing] * 2, 1), ([nothing] * 4, 1)):
        with pytest.raises(ValueError, match="hidden list per row"):
            top_k(scores, hidden, k)


def test_more_places_than_items_are_padded():
    items, best = top_k(np.array([[1, 3, 2]], dtype=np.float32), [np.array([1])], 5)
    assert items.tolist() == [[2, 0, -1, -1, -1]]
    assert best.tolist() == [[2, 1, -np.inf, -np.inf, -np.inf]]


def test_hidden_lists_as_csr_are_the_same_lists():
    scores = np.random.default_rng(2).random((3, 100), dtype=np.float32)
    hidden = [np.arange(30), np.empty(0, dtype=np.int64), np.array([99])]
    flat = np.concatenate(hidden).astype(np.int32)
    of_csr, of_lists = top_k_csr(scores, np.array([0, 30, 30, 31]), flat, 7), top_k(scores, hidden, 7)
    assert (of_csr[0] == of_lists[0]).all()
    assert (of_csr[1] == of_lists[1]).all()

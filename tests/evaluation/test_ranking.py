"""The k best, against a stable sort."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.errors import TrainingError
from recpair.evaluation.ranking import top_k


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

"""Paired comparisons: known p-values, and properties of Holm's correction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recpair.comparison.significance import holm, paired


def test_tests_and_interval():
    generator = np.random.default_rng(0)
    b = generator.normal(size=400)
    a = b + generator.normal(0.1, 1.0, size=400)
    found = paired(a, b)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.t_test == stats.ttest_rel(a, b).pvalue
    assert found.wilcoxon == stats.wilcoxon(a - b).pvalue
    half = 1.96 * (a - b).std() / 20  # the normal interval, which the bootstrap's is near for 400 users
    assert found.low == pytest.approx((a - b).mean() - half, abs=0.02)
    assert found.high == pytest.approx((a - b).mean() + half, abs=0.02)
    assert paired(a, b) == found


def test_runs_that_do_not_differ():
    same = np.arange(5.0)
    found = paired(same, same)
    assert (found.difference, found.low, found.high, found.t_test, found.wilcoxon) == (0, 0, 0, 1, 1)


def test_runs_that_differ_by_rounding_alone_do_not_differ():
    """0.1 + 0.2 is above 0.3 by 6e−17, in every pair."""
    found = paired(np.full(10, 0.1 + 0.2), np.full(10, 0.3), resamples=100)
    assert (found.t_test, found.wilcoxon) == (1, 1)


@pytest.mark.parametrize("gap", [0.1, 0.5])  # 0.1 is not the same in each pair, once it is rounded
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_same_gain_in_every_pair(gap, n):
    """All n signs are equal: Wilcoxon's exact two-sided p is 2 / 2ⁿ; t goes to infinity, its p to 0."""
    b = np.arange(n) / 10
    found = paired(b + gap, b, resamples=100)
    assert found.difference == pytest.approx(gap)
    assert found.t_test == 0
    assert found.wilcoxon == pytest.approx(2 / 2**n)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@settings(deadline=None, max_examples=50)
def test_swapping_the_runs_turns_the_sign_alone(seed, n):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 3, size=(2, n)) / 3  # ties and zeros, as in metrics of short lists
    there, back = paired(a, b, resamples=100), paired(b, a, resamples=100)
    assert there.difference == -back.difference
    assert there.low <= there.high
    assert there.low == pytest.approx(-back.high)
    assert (there.t_test, there.wilcoxon) == pytest.approx((back.t_test, back.wilcoxon))
    assert 0 <= there.t_test <= 1
    assert 0 <= there.wilcoxon <= 1


def test_lists_that_are_no_pairs():
    with pytest.raises(ValueError, match="equally long"):
        paired(np.ones(3), np.ones(4))


def test_holm_by_hand():
    """0.01 × 3, 0.03 × 2 = 0.06, and 0.04 × 1 raised to the one before."""
    assert holm([0.04, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.03, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_monotone_and_between_the_raw_and_bonferroni(p):
    adjusted = holm(p)
    order = np.argsort(p)
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= np.array(p) - 1e-12).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert adjusted.max() <= 1

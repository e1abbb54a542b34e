"""Significance of the difference between two runs, from paired values of users or seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """Difference a − b of a metric over the same users (or seeds).

    Attributes:
        difference: the mean of a − b.
        low, high: 95 % bootstrap interval of the mean (percentiles).
        t_test, wilcoxon: two-sided p-values; 1 if all pairs are equal. If all pairs differ by the same amount, the
            t-test gives 0 (its limit) and Wilcoxon's test depends only on the number of pairs.
    """

    difference: float
    low: float
    high: float
    t_test: float
    wilcoxon: float


def paired(a: np.ndarray, b: np.ndarray, *, resamples: int = 10_000, seed: int = 0) -> Difference:
    """Compare paired values (E,) of two runs.

    Raises:
        ValueError: the arrays differ in length, or hold fewer than two values.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(f"expected two equally long lists of at least two values, got {a.shape} and {b.shape}")
    gaps = a - b
    generator = np.random.default_rng(seed)
    means = np.concatenate(  # in blocks, as users × resamples would not fit in memory
        [gaps[generator.integers(len(gaps), size=(100, len(gaps)))].mean(1) for _ in range(-(-resamples // 100))]
    )
    low, high = np.quantile(means[:resamples], [0.025, 0.975])
    t_test, wilcoxon = _p_values(a, b)
    return Difference(float(gaps.mean()), float(low), float(high), t_test, wilcoxon)


def _p_values(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Two-sided p-values of the paired t-test and Wilcoxon's signed-rank test."""
    from scipy import stats  # takes half a second, needed for comparisons only

    gaps = a - b
    rounding = 1e-12 * max(np.abs(a).max(), np.abs(b).max())
    if np.abs(gaps).max() <= rounding:
        return 1.0, 1.0
    if np.ptp(gaps) <= rounding:  # no variance: t is undefined, and ranks would order rounding errors
        return 0.0, float(stats.wilcoxon(np.full_like(gaps, gaps.mean())).pvalue)
    return float(stats.ttest_rel(a, b).pvalue), float(stats.wilcoxon(gaps).pvalue)


def t_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of F independent values: mean ± t · sd / √F, with F − 1 degrees of freedom.

    Raises:
        ValueError: there are fewer than two values.
    """
    from scipy import special  # much faster to import than scipy.stats

    if len(values) < 2:
        raise ValueError(f"expected at least two values, got {len(values)}")
    n, mean = len(values), float(np.mean(values))
    half = float(special.stdtrit(n - 1, (1 + level) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return mean - half, mean + half


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics, 1979) of p-values (E,)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted

"""Comparisons: functions of the test results of several runs, one per file.

A comparison receives ``results`` (one ``Results`` per run, all of the same test set) and ``metric`` (``ndcg@10``), which
every run has per user; parameters after ``*`` are options. It returns a ``Comparison``: a table and a plot.
"""

from collections.abc import Callable

from recpair.comparison.contract import Comparison
from recpair.comparison.paired import paired_tests

COMPARISONS: dict[str, Callable[..., Comparison]] = {
    "paired": paired_tests,
}

__all__ = ["COMPARISONS", "Comparison"]

"""Paired significance tests of runs against the first run."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from recpair.comparison.contract import Comparison
from recpair.comparison.results import Results
from recpair.comparison.significance import holm, paired


def paired_tests(results: Sequence[Results], metric: str) -> Comparison:
    """Compare each run with the first one by paired tests over users.

    Table: a row per run with run, folds, seeds, mean, low, high (a 95 % bootstrap interval over users), seed_sd, difference (from
    the first run), difference_low, difference_high, t_test, wilcoxon, and both p-values after Holm's correction over the
    compared runs (t_test_holm, wilcoxon_holm). Plot: the means with their intervals.
    """
    base = results[0].of_users(metric)
    rows, tests = [], []
    for each in results:
        values = each.of_users(metric)
        alone, against = paired(values, np.zeros_like(values)), paired(values, base)
        seeds = each.seeds[metric]
        rows.append(
            {
                "run": each.name,
                "folds": each.n_folds,
                "seeds": len(seeds),
                "mean": float(values.mean()),
                "low": alone.low,
                "high": alone.high,
                "seed_sd": seeds.std() if len(seeds) > 1 else None,
                "difference": against.difference,
                "difference_low": against.low,
                "difference_high": against.high,
                "t_test": against.t_test,
                "wilcoxon": against.wilcoxon,
            }
        )
        tests.append((against.t_test, against.wilcoxon))
    adjusted = [[None, *holm([test[i] for test in tests[1:]]).tolist()] for i in range(2)]
    columns = [pl.Series("t_test_holm", adjusted[0]), pl.Series("wilcoxon_holm", adjusted[1])]
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(*columns)
    return Comparison(table, partial(_plot, table, metric))


def _plot(table: pl.DataFrame, metric: str) -> Any:
    from recpair.comparison import plots  # imports matplotlib

    return plots.intervals(table, metric)

"""Comparison of run folders, and its plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recpair.comparison import COMPARISONS, Comparison
from recpair.comparison.results import Results
from recpair.errors import RunError
from recpair.registry import lookup
from recpair.run.asked import is_list

PLOT_ENDINGS = (".png", ".pdf", ".svg")


def compare(folders: Sequence[Path], metric: str) -> pl.DataFrame:
    """The table of ``comparison``: by default a row per run with its mean, its interval and its paired tests."""
    return comparison(folders, metric).table


def comparison(folders: Sequence[Path], metric: str, name: str = "paired", **options: Any) -> Comparison:
    """Compare runs on the same test set; the first run is the baseline.

    Args:
        metric: a metric with per-user values, ``ndcg@10``.
        name: of ``COMPARISONS``, with its options.

    Raises:
        RunError: fewer than two runs, an unknown metric, or different test sets.
        ConfigError: unknown comparison.
    """
    if not is_list(folders) or len(folders) < 2:
        raise RunError("expected at least two runs to compare; the first is the baseline")
    results = [Results.of(Path(folder)) for folder in folders]
    for each in results:
        results[0].require_same_test(each)
        each.require_metric(metric)
    return lookup(COMPARISONS, name, "comparison")(results=results, metric=metric, **options)


def draw(compared: Comparison, path: Path) -> None:
    """Draw a comparison into a file, in the format of its extension."""
    check_plot(path)
    from recpair.figures import write_figure  # imports matplotlib

    write_figure(path, compared.plot())


def check_plot(path: Path) -> None:
    """Raise a RunError unless the extension of the path is a supported plot format; called before the comparison."""
    if path.suffix.lower() not in PLOT_ENDINGS:
        raise RunError(f"{path} has the extension {path.suffix!r}; expected one of {', '.join(PLOT_ENDINGS)}")

"""The result of a comparison of runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Comparison:
    """A table and a plot of several runs.

    Attributes:
        table: one row per run, or per pair of runs.
        plot: returns the table as a matplotlib figure; imports matplotlib when it is called.
    """

    table: pl.DataFrame
    plot: Callable[[], Any]

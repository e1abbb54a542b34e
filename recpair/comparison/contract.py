"""Result of a comparison of runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Comparison:
    """A table and a plot of several runs.

    Attributes:
        table: one row per run, or per pair of runs.
        plot: returns a matplotlib figure of the table; imports matplotlib when called.
    """

    table: pl.DataFrame
    plot: Callable[[], Any]

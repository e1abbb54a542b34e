"""Figures of comparisons."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from recpair.errors import one_line
from recpair.figures import INK, MUTED, tidy


def intervals(table: pl.DataFrame, metric: str) -> Figure:
    """Plot the mean of each run with its interval over users, and the mean of the first run as a line."""
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(table)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    mean = table["mean"].to_numpy()
    around = np.stack([mean - table["low"].to_numpy(), table["high"].to_numpy() - mean])
    axes.errorbar(mean, places, xerr=around, fmt="o", color=INK, capsize=3)
    axes.axvline(mean[0], color=MUTED, linestyle="--", linewidth=1)
    names = [one_line(name, 40) for name in table["run"]]  # longer names leave no room for the intervals
    axes.set_yticks(places.tolist(), names, parse_math=False)
    axes.set(xlabel=f"test {metric}, with 95 % intervals over users")
    tidy(figure)
    return figure

"""Plots of a study."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from recpair.errors import one_line
from recpair.figures import ACCENT, INK, MUTED, tidy

PALETTE = (MUTED, INK, ACCENT, "#3c9d7f", "#e0a030", "#7a5195", "#5b8ff9", "#8c564b")


def differences(results: pl.DataFrame, metric: str) -> Figure:
    """Difference of each method from the baseline, with its 95 % interval over users."""
    rows = [row for row in results.iter_rows(named=True) if row["t_test_holm"] is not None]
    levels = results["noise"].n_unique()
    figure = Figure(figsize=(7, 1.1 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places.tolist(), rows, strict=True):
        sure = max(row["t_test_holm"], row["wilcoxon_holm"]) < 0.05
        around = [[row["difference"] - row["difference_low"]], [row["difference_high"] - row["difference"]]]
        axes.errorbar(row["difference"], place, xerr=around, fmt="o", capsize=3, color=INK if sure else MUTED)
    axes.axvline(0, color=ACCENT, linewidth=1, linestyle="--")
    names = [row["method"] + (f", noise {row['noise']:g}" if levels > 1 else "") for row in rows]
    axes.set_yticks(places.tolist(), [one_line(name, 36) for name in names], parse_math=False)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set(xlabel=f"difference from the baseline in test {metric}; grey: may be chance")
    tidy(figure)
    return figure


def by_group(groups: pl.DataFrame, metric: str) -> Figure:
    """Test metric of each method in groups of users, one panel per noise level."""
    levels = groups["noise"].unique(maintain_order=True).to_list()
    methods = groups["method"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(min(11.0, 5.5 * len(levels)), 3.6), layout="constrained")
    panels = figure.subplots(1, len(levels), squeeze=False)[0]
    width = 0.8 / len(methods)
    for axes, noise in zip(panels, levels, strict=True):
        for i, method in enumerate(methods):
            part = groups.filter((pl.col("noise") == noise) & (pl.col("method") == method))
            places = np.arange(len(part)) + (i - (len(methods) - 1) / 2) * width
            axes.bar(
                places, part["mean"], width=width * 0.92, color=PALETTE[i % len(PALETTE)], label=one_line(method, 24)
            )
        spans = [
            f"{row['low']:g}" if row["low"] == row["high"] else f"{row['low']:.0f}–{row['high']:.0f}"
            for row in part.iter_rows(named=True)
        ]
        axes.set_xticks(range(len(spans)), spans, fontsize=8)
        kind = "training events of the user" if groups["by"][0] == "activity" else "popularity of the test items"
        title = "" if len(levels) == 1 else f"noise {noise:g}"
        axes.set(xlabel=kind, ylabel=f"test {metric}", title=title)
    tidy(figure, legend_at=-0.22)
    return figure


def by_noise(results: pl.DataFrame, metric: str) -> Figure:
    """Test metric of each method by noise level."""
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for i, method in enumerate(results["method"].unique(maintain_order=True)):
        part = results.filter(pl.col("method") == method).sort("noise")
        axes.plot(part["noise"], part["test"], marker="o", color=PALETTE[i % len(PALETTE)], label=one_line(method, 24))
    axes.set(xlabel="noise added per training event", ylabel=f"test {metric}")
    tidy(figure)
    return figure

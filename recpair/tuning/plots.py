"""Plots of a search."""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from recpair.errors import one_line
from recpair.figures import ACCENT, INK, MUTED, tidy
from recpair.tuning.space import Range, Space


def progress(frame: pl.DataFrame, metric: str) -> Figure:
    """Validation metric of each trial, and the best one so far."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    done = frame.filter(pl.col("value").is_not_null())
    pruned = done["state"].to_numpy() == "pruned"
    trial, value = done["trial"].to_numpy(), done["value"].to_numpy()
    axes.plot(trial[~pruned], value[~pruned], "o", color=INK, label="complete", markersize=4)
    if pruned.any():
        axes.plot(trial[pruned], value[pruned], "x", color=MUTED, label="pruned", markersize=5)
    best = np.maximum.accumulate(np.where(pruned, -np.inf, value))
    axes.step(trial[np.isfinite(best)], best[np.isfinite(best)], where="post", color=ACCENT, label="best so far")
    axes.set(xlabel="trial", ylabel=f"validation {metric}", title="Trials")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(figure, legend_at=-0.2)
    return figure


def values(frame: pl.DataFrame, space: Space, metric: str) -> Figure:
    """Validation metric by the value of each key."""
    columns = min(3, len(space))
    rows = math.ceil(len(space) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.8 * rows), layout="constrained")
    done = frame.filter(pl.col("value").is_not_null())
    for place, (key, dimension) in enumerate(space.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        part = done.filter(pl.col(key).is_not_null()) if isinstance(dimension, Range) else done
        pruned = part["state"].to_numpy() == "pruned"
        score = part["value"].to_numpy()
        if isinstance(dimension, Range):
            at = part[key].cast(pl.Float64).to_numpy()
            if dimension.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(
                    LogLocator(subs=(1.0, 3.0) if dimension.high < 100 * dimension.low else (1.0,))
                )
                axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
                axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            names = [str(each) for each in dimension.labels]
            at = np.array([names.index(str(each)) if str(each) in names else -1 for each in part[key]], dtype=float)
            axes.set_xticks(range(len(names)), [one_line(each, 14) for each in names], fontsize=8, parse_math=False)
        axes.plot(at[~pruned], score[~pruned], "o", color=INK, markersize=4)
        axes.plot(at[pruned], score[pruned], "x", color=MUTED, markersize=5)
        axes.set_xlabel(one_line(key, 32), fontsize=9, parse_math=False)
        if (place - 1) % columns == 0:
            axes.set_ylabel(metric, fontsize=9)
    tidy(figure)
    return figure


def shares(importances: Mapping[str, float]) -> Figure:
    """Importance of each key."""
    figure = Figure(figsize=(7, 0.9 + 0.4 * len(importances)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(importances))[::-1]
    axes.barh(places, list(importances.values()), color=INK, height=0.6)
    axes.set_yticks(places.tolist(), [one_line(key, 40) for key in importances], parse_math=False)
    axes.set(xlabel="importance (PED-ANOVA)", title="Which keys matter")
    tidy(figure)
    return figure

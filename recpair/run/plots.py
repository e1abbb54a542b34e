"""Plots of a run; each function returns a figure and does not change global state of matplotlib."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recpair.data.interactions import Interactions
from recpair.denoising.audit import personal_scale, with_losses
from recpair.figures import ACCENT, INK, MUTED, tidy

ENOUGH = 20  # minimum number of candidates for a bin to be drawn
PALETTE = (INK, ACCENT, "#3c9d7f", "#e0a030", "#7a5195", MUTED)


def curves(history: pl.DataFrame, best_epoch: int, monitor: str | None) -> Figure:
    """Parts of the loss (left) and, if there are any, validation metrics (right) by epoch, with the best epoch marked."""
    figure = Figure(figsize=(9 if monitor else 4.5, 3.6), layout="constrained")
    loss_axes = figure.add_subplot(1, 2 if monitor else 1, 1)
    losses = [name for name in ("train/loss", "train/recommendation", "train/l2") if name in _names(history, "train/")]
    if "train/l2" not in losses and _same(history, *losses[:2]):
        losses = losses[:1]  # without further terms the two curves coincide
    _lines(loss_axes, history, losses)
    loss_axes.set(xlabel="epoch", ylabel="nats per query", title="Training loss")
    if monitor:
        _draw_validation(figure.add_subplot(1, 2, 2), history, best_epoch, monitor)
    tidy(figure)
    return figure


def _draw_validation(axes: Axes, history: pl.DataFrame, best_epoch: int, monitor: str) -> None:
    """Draw the monitored metric, then its other cut-offs and those of recall, at most six curves."""
    families = (f"valid/{monitor.partition('@')[0]}", "valid/recall")
    others = [name for name in _names(history, "valid/") if name.partition("@")[0] in families]
    _lines(axes, history, list(dict.fromkeys([f"valid/{monitor}", *others]))[:6])
    axes.axvline(best_epoch, color=MUTED, linestyle="--", linewidth=1)
    axes.set(xlabel="epoch", title=f"Validation, best epoch {best_epoch}")


def by_activity(groups: Mapping[str, pl.DataFrame], metric: str) -> Figure:
    """Mean of a metric in groups of users by their number of training events, one bar per model."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(groups)
    for i, (name, frame) in enumerate(groups.items()):
        places = np.arange(len(frame)) + (i - (len(groups) - 1) / 2) * width
        axes.bar(places, frame["mean"], width=width * 0.94, label=name, color=(INK, MUTED, ACCENT)[i % 3])
    frame = next(iter(groups.values()))
    spans = [sorted({row["from_events"], row["to_events"]}) for row in frame.iter_rows(named=True)]
    labels = [f"{'–'.join(map(str, span))}\n{n} users" for span, n in zip(spans, frame["n_users"], strict=True)]
    axes.set_xticks(range(len(frame)), labels)
    axes.set(xlabel="training events of the user", ylabel=metric, title=f"Test {metric} by user activity")
    tidy(figure, legend_at=-0.3)  # below labels of two lines
    return figure


def choices(chosen: np.ndarray, passed: np.ndarray) -> Figure:
    """Histogram of candidates by loss in nats (left), and the share chosen by the denoiser (right), both on a log axis.

    Losses outside the middle 99.8 % are counted in the first and last bin, so the shares of each curve sum to 100 %.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    both = np.concatenate([chosen, passed])
    edges = _log_bins(both)
    counts = [np.histogram(losses.clip(edges[0], edges[-1]), edges)[0] for losses in (chosen, passed)]
    named = (("chosen", chosen, counts[0], INK), ("passed over", passed, counts[1], ACCENT))
    for name, losses, count, colour in named:
        label = f"{name}, median {np.median(losses):.3g}"
        left.stairs(100 * count / len(losses), edges, color=colour, linewidth=1.6, label=label)
    left.set(
        xscale="log", xlabel="loss of the candidate, nats", ylabel="% of the candidates", title="Candidates by loss"
    )
    total = counts[0] + counts[1]
    share = np.where(total >= ENOUGH, 100 * counts[0] / np.maximum(total, 1), np.nan)
    right.stairs(share, edges, baseline=None, color=INK, linewidth=1.6, label=f"bins of {ENOUGH} candidates or more")
    right.axhline(100 * len(chosen) / len(both), color=MUTED, linestyle="--", linewidth=1, label="regardless of loss")
    right.set(xscale="log", xlabel="loss of the candidate, nats", ylabel="% chosen", title="Share chosen by loss")
    right.set_ylim(bottom=0)
    tidy(figure)
    return figure


def _log_bins(losses: np.ndarray, n: int = 40) -> np.ndarray:
    """Edges of n bins of equal width in log loss over the middle 99.8 % of the losses, at most six decades."""
    high = max(float(np.quantile(losses, 0.999)), 1e-6)
    low = float(np.quantile(losses, 0.001))
    return np.geomspace(min(max(low, high * 1e-6), high / 2), high, n + 1)


def audit(train: Interactions, losses: pl.DataFrame, noise: np.ndarray | None) -> Figure:
    """Histograms of the losses of all training events (left), and of their deviations from the user's mean (right)."""
    train, losses, known = with_losses(train, losses)
    noise = None if noise is None else noise[known]
    mean = losses["mean_loss"].to_numpy()
    user_mean, spread = personal_scale(train, mean)
    z = (mean - user_mean[train.user]) / spread[train.user]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    shown = (("mean loss, nats", mean, "Over all users"), ("spreads above the user's own mean", z, "Within each user"))
    for axes, (label, values, name) in zip(figure.subplots(1, 2), shown, strict=True):
        low, high = np.quantile(values, [0.001, 0.999])
        bins = np.linspace(low, max(high, low + 1e-6), 60).tolist()
        parts = [("all events", values, INK)]
        if noise is not None and noise.any():
            parts = [("real", values[~noise], INK), ("injected", values[noise], ACCENT)]
        for kind, part, colour in parts:
            axes.hist(part, bins=bins, density=True, alpha=0.6, color=colour, label=kind)
        axes.set(xlabel=label, ylabel="density", title=name)
    tidy(figure)
    return figure


def _names(history: pl.DataFrame, prefix: str) -> Sequence[str]:
    return [name for name in history["metric"].unique(maintain_order=True) if name.startswith(prefix)]


def _same(history: pl.DataFrame, *names: str) -> bool:
    """Return True if the values of all these metrics are equal in every epoch."""
    values = [history.filter(pl.col("metric") == name)["value"].to_list() for name in names]
    return all(other == values[0] for other in values)


def _lines(axes, history: pl.DataFrame, names: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    for name, colour in zip(names, PALETTE, strict=False):
        rows = history.filter(pl.col("metric") == name)
        marker = "o" if len(rows) < 3 else None
        axes.plot(rows["epoch"], rows["value"], label=name.partition("/")[2], color=colour, marker=marker)

"""Answers about training and evaluation: learning curves, and test metrics by group of users."""

from typing import Any, Literal

import numpy as np
import polars as pl

from recpair.browse.opened import Opened, Shelf
from recpair.browse.overview import number
from recpair.errors import RunError
from recpair.evaluation.activity import activity_edges
from recpair.run.folder import HISTORY, PER_USER

GROUPS = 5
By = Literal["activity", "popularity"]
NO_METRIC = ("user_id", "train_events")


def curves(shelf: Shelf, metric: str | None) -> dict[str, Any]:
    """Return the values of a metric in each epoch of each run, and the names of all metrics.

    Args:
        metric: by default the validation metric that chose the epoch, else the first one.

    Raises:
        RunError: no run has this metric.
    """
    histories = [opened.run.history if opened.run.files.lists(HISTORY) else None for opened in shelf.runs]
    known = dict.fromkeys(name for frame in histories if frame is not None for name in frame["metric"].unique().sort())
    monitors = [f"valid/{(opened.run.config.get('evaluate') or {}).get('monitor')}" for opened in shelf.runs]
    chosen = metric or next((name for name in [*monitors, *known] if name in known), None)
    _require(chosen, known)
    runs = []
    for opened, frame in zip(shelf.runs, histories, strict=True):
        own = None if frame is None else frame.filter(pl.col("metric") == chosen).sort("epoch")
        points = (
            [] if own is None else [[epoch, number(value)] for epoch, value in own.select("epoch", "value").iter_rows()]
        )
        metrics = opened.run.metrics
        runs.append({"points": points, "best_epoch": metrics["best_epoch"], "epochs": metrics["epochs"]})
    return {"metric": chosen, "metrics": list(known), "runs": runs}


def groups(shelf: Shelf, metric: str | None, by: By) -> dict[str, Any]:
    """Return the mean of a test metric in groups of users, with 1.96 standard errors, for each run.

    Users are divided into five groups of nearly equal size, by the number of their training events (activity) or by
    the mean number of training events of the items in their history (popularity). The limits are those of the
    first run with test metrics of each user.

    Raises:
        RunError: no run has this metric.
    """
    frames = [opened.run.per_user if opened.run.files.lists(PER_USER) else None for opened in shelf.runs]
    known = dict.fromkeys(
        name for frame in frames if frame is not None for name in frame.columns if name not in NO_METRIC
    )
    monitors = [str((opened.run.config.get("evaluate") or {}).get("monitor")) for opened in shelf.runs]
    chosen = metric or next((name for name in [*monitors, *known] if name in known), None)
    _require(chosen, known)
    edges: np.ndarray | None = None
    runs: list[dict[str, Any]] = []
    for opened, frame in zip(shelf.runs, frames, strict=True):
        if frame is None or chosen is None or chosen not in frame.columns or frame.is_empty():
            runs.append({"groups": []})
            continue
        size = _sizes(opened, frame, by)
        if edges is None:
            edges = activity_edges(size, GROUPS)
        group = np.searchsorted(edges, size)
        runs.append({"groups": [_mean(frame[chosen].to_numpy()[group == g]) for g in range(len(edges) + 1)]})
    return {
        "metric": chosen,
        "metrics": list(known),
        "by": by,
        "edges": [] if edges is None else edges.tolist(),
        "runs": runs,
    }


def _sizes(opened: Opened, per_user: pl.DataFrame, by: By) -> np.ndarray:
    """Number of training events of each user, or the rounded mean number of events of the user's items."""
    train = opened.run.recommender.train
    events = np.diff(train.indptr)
    index = train.vocabulary.users.find(per_user["user_id"])
    if by == "activity":
        sizes: np.ndarray = events[index]
        return sizes
    total = np.bincount(train.user, train.item_counts[train.item], train.n_users)
    mean: np.ndarray = np.rint(total / np.maximum(events, 1))[index].astype(np.int64)
    return mean


def _mean(values: np.ndarray) -> dict[str, Any]:
    kept = values[np.isfinite(values)]
    if len(kept) == 0:
        return {"users": 0, "mean": None, "error": None}
    error = 1.96 * kept.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else None
    return {"users": len(kept), "mean": number(kept.mean()), "error": number(error)}


def _require(metric: str | None, known: dict[str, None]) -> None:
    if metric is not None and metric not in known:
        raise RunError(f"no run has the metric {metric[:80]}; choose one of {', '.join(known)}")

"""Detection of injected noise by training losses."""

import numpy as np
import polars as pl

from recpair.data.interactions import Interactions
from recpair.denoising.audit import personal_scale, with_losses
from recpair.evaluation.auroc import separation


def quality(train: Interactions, losses: pl.DataFrame, noise: np.ndarray, groups: int = 4) -> pl.DataFrame:
    """Evaluate the detection of injected noise: a row for all users, then one per group by activity.

    Columns: users, events, then AUROC and precision of the personal score (z), of the mean loss with a
    global threshold, and of the last loss with a global threshold.
    """
    train, losses, known = with_losses(train, losses)
    noise = noise[known]
    mean = losses["mean_loss"].to_numpy()
    user_mean, spread = personal_scale(train, mean)
    scores = {"personal": (mean - user_mean[train.user]) / spread[train.user], "mean_loss": mean}
    scores["final_loss"] = losses["final_loss"].to_numpy()
    size = np.diff(train.indptr)[train.user]
    edges = np.unique(np.quantile(size, np.linspace(0, 1, groups + 1)[1:-1], method="lower"))
    group = np.searchsorted(edges, size)
    rows = []
    for g in [None, *range(group.max() + 1)]:
        chosen = np.ones(len(train), dtype=bool) if g is None else group == g
        label = "all" if g is None else f"{size[chosen].min()}–{size[chosen].max()} events"
        row: dict[str, object] = {"users": label, "events": int(chosen.sum())}
        for name, score in scores.items():
            found = separation(score[chosen], noise[chosen])
            row |= {f"{name}_auroc": found.auroc, f"{name}_precision": found.precision}
        rows.append(row)
    return pl.DataFrame(rows)

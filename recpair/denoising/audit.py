"""Audit of the training interactions: the noise probability of each, per user."""

import numpy as np
import polars as pl
from scipy.special import expit

from recpair.data.interactions import Interactions

PRIOR = 5.0  # events by which a user's mean and spread are shrunk towards those of all users


def audit(train: Interactions, losses: pl.DataFrame) -> pl.DataFrame:
    """One row per training interaction with a loss (sequence models: all but a user's first), most suspicious first.

    Columns: user_id, item_id, timestamp (if known), mean_loss and loss_sd (nats, over the visits of
    training), visits, chosen_share (of the visits; None if the event was never drawn), rank (from 1, the
    largest loss of the user), user_events, z (standard deviations above the user's mean),
    noise_probability, explanation.

    ``z`` is relative to the losses of the same user, whose mean and standard deviation are shrunk towards
    those of all users by five pseudo-events. ``noise_probability`` is the posterior of the upper component
    of a mixture of two normal distributions of equal variance, fitted to all z by EM. Source: comparing
    losses per user follows PLD (Zhang et al., WWW 2025); the audit itself is specific to recpair.

    Args:
        losses: the statistics recorded in training (``audit.parquet``): mean_loss, loss_sd, visits, chosen.
    """
    train, losses, _ = with_losses(train, losses)
    mean, visits = losses["mean_loss"].to_numpy(), losses["visits"].to_numpy()
    user_mean, spread = personal_scale(train, mean)
    z = (mean - user_mean[train.user]) / spread[train.user]
    size = np.diff(train.indptr)[train.user]
    order = np.lexsort((-mean, train.user))
    rank = np.empty(len(train), dtype=np.int32)
    rank[order] = np.arange(len(train)) - train.indptr[train.user[order]] + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(visits > 0, losses["chosen"].to_numpy() / visits, np.nan)
    frame = train.to_polars().select(pl.exclude("weight", "rating"))
    frame = frame.with_columns(
        pl.Series("mean_loss", mean),
        losses["loss_sd"],
        losses["visits"],
        pl.Series("chosen_share", share).fill_nan(None),
        pl.Series("rank", rank),
        pl.Series("user_events", size),
        pl.Series("z", z),
        pl.Series("noise_probability", noise_probability(z)),
        pl.Series("user_mean", user_mean[train.user]),
    )
    return (
        frame.with_columns(_explained().alias("explanation"))
        .drop("user_mean")
        .sort("z", descending=True, maintain_order=True)
    )


def _explained() -> pl.Expr:
    """One sentence per event; events without recorded visits (``train.audit_from``) report only the final loss."""
    seen = pl.format("mean loss {} over {}", _fixed("mean_loss", 3), pl.col("visits").map_batches(_visits, pl.String))
    unseen = pl.format("loss {} under the final model, none recorded in training", _fixed("mean_loss", 3))
    return pl.format(
        "{}, {} spreads from this user's own mean {}; rank {} of {} by loss",
        pl.when(pl.col("visits") > 0).then(seen).otherwise(unseen),
        _fixed("z", 1, plus="+"),
        _fixed("user_mean", 3),
        "rank",
        "user_events",
    )


def _fixed(column: str, digits: int, plus: str = "") -> pl.Expr:
    """Format numbers with ``digits`` decimals, without a Python object for each; ties are rounded to even."""
    size = pl.col(column).cast(pl.Float64).abs()
    text = size.cast(pl.Decimal(38, digits), strict=False).cast(pl.String).fill_null(size.cast(pl.String))
    return pl.when(pl.col(column) < 0).then(pl.lit("-")).otherwise(pl.lit(plus)) + text


def _visits(visits: pl.Series) -> pl.Series:
    """Format numbers as "1 visit" or "1,234 visits", once per distinct number."""
    known = visits.unique()
    return visits.replace_strict(
        known, [f"{n:,.0f} {'visit' if n == 1 else 'visits'}" for n in known], return_dtype=pl.String
    )


def with_losses(train: Interactions, losses: pl.DataFrame) -> tuple[Interactions, pl.DataFrame, np.ndarray]:
    """Return the events that have a loss, their statistics, and their mask (E,) among all events."""
    known = losses["mean_loss"].is_not_nan().to_numpy()
    return (train, losses, known) if known.all() else (train.select(known), losses.filter(known), known)


def personal_scale(train: Interactions, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (U,) of each user's losses, shrunk towards those of all events."""
    n = np.diff(train.indptr)
    overall = losses.mean()
    mean = (np.bincount(train.user, losses, train.n_users) + PRIOR * overall) / (n + PRIOR)
    squares = np.bincount(train.user, (losses - mean[train.user]) ** 2, train.n_users)
    spread = np.sqrt((squares + PRIOR * losses.var()) / (n + PRIOR))
    return mean, np.maximum(spread, 1e-9)


def noise_probability(z: np.ndarray, steps: int = 500) -> np.ndarray:
    """Posterior (E,) of the upper of two normals of equal variance, by EM from the upper tenth; monotone in z."""
    if len(z) < 10 or np.ptp(z) < 1e-9:
        return np.zeros(len(z))
    top = z > np.quantile(z, 0.9)
    if not top.any():  # more than a tenth share the largest value
        top = z == z.max()
    upper: np.ndarray = top.astype(np.float64)
    lower, a, b = np.empty_like(upper), np.empty_like(upper), np.empty_like(upper)  # overwritten in each step
    for _ in range(steps):
        share = upper.mean().clip(1e-9, 1 - 1e-9)
        np.subtract(1, upper, out=lower)
        low, high = (lower @ z) / (len(z) * (1 - share)), (upper @ z) / (len(z) * share)
        for out, part, centre in ((a, lower, low), (b, upper, high)):
            np.subtract(z, centre, out=out)
            np.square(out, out=out)
            out *= part
        a += b
        variance = a.mean().clip(1e-6)
        gap = max(high - low, 0.0)  # negative only by rounding: the initial values, and so each step, rise with z
        np.subtract(z, (high + low) / 2, out=a)
        a *= gap
        a /= variance
        a += np.log(share / (1 - share))
        expit(a, out=b)
        np.subtract(b, upper, out=a)
        upper, b = b, upper
        if np.abs(a, out=a).max() < 1e-6:
            break
    return upper

"""Summary statistics of a data set before training."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from recpair.data.events import Events
from recpair.data.times import UNKNOWN, Clock

EDGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)


@dataclass(frozen=True)
class Description:
    """Counts of a data set.

    Attributes:
        counts: name → number, for display.
        user_activity, item_activity: (from, to, how many) for bins of events per user and per item.
        time_span: first and last time in the unit of ``clock``, or None.
        clock: unit of the times.
    """

    counts: dict[str, float]
    user_activity: list[tuple[int, int, int]]
    item_activity: list[tuple[int, int, int]]
    time_span: tuple[int, int] | None
    clock: Clock = UNKNOWN

    def days(self) -> tuple[str, str]:
        """Return the first and last day, or numbers of the source if the unit of the times is unknown."""
        assert self.time_span is not None
        first, last = map(self.clock.shown, self.time_span)
        return first, last


def describe(events: Events) -> Description:
    """Return counts, density, activity histograms, time span and duplicates of the events."""
    frame = events.frame
    per_user = frame.group_by("user_id").len()["len"].to_numpy()
    per_item = frame.group_by("item_id").len()["len"].to_numpy()
    pairs = frame.select(pl.struct("user_id", "item_id").n_unique()).item()
    counts: dict[str, float] = {
        "events": len(frame),
        "users": len(per_user),
        "items": len(per_item),
        "density": pairs / (len(per_user) * len(per_item)),
        "duplicates": len(frame) - pairs,
        "events per user (median)": float(np.median(per_user)),
        "events per item (median)": float(np.median(per_item)),
    }
    span = None
    if "timestamp" in frame.columns:
        span = int(frame["timestamp"].min()), int(frame["timestamp"].max())  # type: ignore[arg-type]
    return Description(counts, _histogram(per_user), _histogram(per_item), span, events.clock)


def _histogram(counts: np.ndarray) -> list[tuple[int, int, int]]:
    """Bins (from, to, count) with ``to`` inclusive, from the bin of the smallest to that of the largest."""
    first = np.searchsorted(EDGES, counts.min(), side="right") - 1
    edges = [edge for edge in EDGES[first:] if edge <= counts.max()] + [int(counts.max()) + 1]
    bins = np.histogram(counts, bins=edges)[0]
    return [(low, high - 1, int(n)) for low, high, n in zip(edges, edges[1:], bins, strict=False)]

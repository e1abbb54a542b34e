"""Groups of users by activity."""

import numpy as np


def activity_edges(events: np.ndarray, groups: int) -> np.ndarray:
    """Return the ends of all but the last of ``groups`` groups of (nearly) equal size by number of events.

    Users with the same number of events are in the same group, so there may be fewer groups.
    """
    edges = np.unique(np.quantile(events, np.linspace(0, 1, groups + 1)[1:-1], method="lower")).astype(np.int64)
    inner: np.ndarray = edges[edges < events.max()]
    return inner

"""What is measured of a ranking: one file, one definition per name.

Per user, with hits at ranks r ≤ K and n relevant items; then averaged over users:

- ``recall``: hits / n. ``precision``: hits / K. ``hit``: 1 if there is a hit.
- ``ndcg``: Σ 1/log₂(r + 1) over hits, divided by that of an ideal list: its min(n, K) first places
  (``ideal: cut``, Järvelin & Kekäläinen, TOIS 2002), or all n (``ideal: full``, as in PLD's code).
- ``mrr``: 1 / rank of the first hit, 0 without one within K.
- ``map``: mean of precision@r over hits, divided by min(n, K).

Over all pairs together, without a cut-off:

- ``pooled_auc``: probability that a held-out pair scores higher than an unobserved pair of any user.

Over all lists together:

- ``coverage``: share of the catalogue that stands in at least one list.
- ``novelty``: mean of −log₂(users who took the item / users) over listed items, in bits; an item
  that nobody took counts as if one user had (Zhou et al., PNAS 2010).
- ``popularity``: mean number of training events of the listed items.
"""

from collections.abc import Callable, Sequence

import numpy as np

from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.evaluation.pooled import pooled_auc
from recpair.registry import nearest

PER_USER = ("recall", "precision", "ndcg", "mrr", "map", "hit")  # in the order of the kernel's last axis


def coverage(items: np.ndarray, train: Interactions) -> float:
    """Share of the catalogue among the listed items (B, K)."""
    return len(np.unique(items[items >= 0])) / train.n_items


def novelty(items: np.ndarray, train: Interactions) -> float:
    """Mean self-information of the listed items (B, K), in bits."""
    counts = np.maximum(_users_per_item(train), 1)
    listed = items[items >= 0]
    return float(-np.log2(counts[listed] / train.n_users).mean()) if len(listed) else 0.0


def _users_per_item(train: Interactions) -> np.ndarray:
    """Users who took each item (I,): a repeated event counts once, or the self-information could be negative."""
    first = np.ones(len(train), dtype=bool)
    first[1:] = (np.diff(train.user) != 0) | (np.diff(train.sorted_items) != 0)
    return np.bincount(train.sorted_items[first], minlength=train.n_items)


def popularity(items: np.ndarray, train: Interactions) -> float:
    """Mean training events of the listed items (B, K)."""
    listed = items[items >= 0]
    return float(train.item_counts[listed].mean()) if len(listed) else 0.0


OVER_LISTS: dict[str, Callable[[np.ndarray, Interactions], float]] = {
    "coverage": coverage,
    "novelty": novelty,
    "popularity": popularity,
}
POOLED: dict[str, Callable[..., float]] = {
    "pooled_auc": pooled_auc,
}
METRICS: tuple[str, ...] = (*PER_USER, *OVER_LISTS, *POOLED)


def check_names(metrics: Sequence[str]) -> None:
    """Raise a ConfigError where one is no metric's name, or has a cut-off."""
    for metric in metrics:
        if "@" in metric:
            raise ConfigError(
                f"evaluate.metrics holds {metric!r}; name the metric alone, and cut-offs in evaluate.cutoffs"
            )
        if metric not in POOLED:
            parse_metric(f"{metric}@1", "evaluate.metrics")


def parse_metric(name: str, key: str = "evaluate.monitor") -> tuple[str, int]:
    """``ndcg@10`` → ("ndcg", 10).

    Raises:
        ConfigError: the metric is unknown, or the cut-off is no positive number.
    """
    base, at, cutoff = name.partition("@")
    if base in POOLED:
        raise ConfigError(f"{key}: {base} has no cut-off and chooses no epoch; name it in evaluate.metrics only")
    if base not in METRICS:
        raise ConfigError(f"{key}: unknown metric {base!r}{nearest(base, METRICS)} (known: {', '.join(METRICS)})")
    # ndcg@010 would be read as 10, and then be found under no name.
    if not at or not cutoff.isdecimal() or int(cutoff) < 1 or cutoff != str(int(cutoff)):
        raise ConfigError(f"{key} is {name!r}; expected a metric and a cut-off, as in ndcg@10")
    return base, int(cutoff)

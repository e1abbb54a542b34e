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

from collections.abc import Callable

import numpy as np

from recpair.data.interactions import Interactions
from recpair.evaluation.pooled import pooled_auc


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

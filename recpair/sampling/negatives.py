"""Sources of negatives, which never return a training positive of the user."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import ConfigError, DataError
from recpair.registry import lookup
from recpair.sampling import kernels
from recpair.seeds import derive

BITS_PER_ITEM = 16


class Taken:
    """Each user's distinct items over some parts, ascending, with a filter of about 16 bits per item.

    Attributes:
        table: argument of the kernels: (indptr, items, word_indptr, words).

    Raises:
        DataError: a user has interacted with every item, so that no negative can be drawn.
    """

    def __init__(self, interactions: Interactions, *others: Interactions) -> None:
        lists = ItemLists.of_users(interactions, *others)
        counts = np.append(np.diff(lists.indptr), 0)
        size = 2 ** np.ceil(np.log2(np.maximum(BITS_PER_ITEM * counts, 64))).astype(np.int64)
        word_indptr = np.concatenate([[0], np.cumsum(size // 64)]).astype(np.int64)
        words = np.zeros(word_indptr[-1], dtype=np.uint64)
        indptr = np.append(lists.indptr, lists.indptr[-1])
        kernels.fill_filter(indptr, lists.items, word_indptr, words)
        self.table = indptr, lists.items, word_indptr, words
        self.n_items, self.nobody = interactions.n_items, interactions.n_users  # nobody: a user without interactions
        if (counts >= self.n_items).any():
            who = interactions.vocabulary.users.values[int(np.argmax(counts))]
            raise DataError(
                f"user {who!r} has interacted with all {self.n_items} items, so no negative can be drawn; "
                f"filter this user out, or give data with more items"
            )


class Negatives(Protocol):
    """A source of negatives.

    Attributes:
        q: probability (I,) with which each item is drawn for a user without interactions.
    """

    q: np.ndarray

    def draw(self, users: np.ndarray, positives: np.ndarray, n: int, key: np.uint64, first: int) -> np.ndarray:
        """Draw int64 (Q, N) items for users (Q,) with positives (Q,); ``first`` is the number of earlier queries."""
        ...


class Uniform:
    """Uniform negatives: every unseen item of the user is equally likely."""

    def __init__(self, interactions: Interactions, taken: Taken) -> None:
        self.taken = taken
        self.q = np.full(taken.n_items, 1 / taken.n_items)

    def draw(self, users: np.ndarray, positives: np.ndarray, n: int, key: np.uint64, first: int) -> np.ndarray:
        out = np.empty((len(users), n), dtype=np.int64)
        taken = self.taken
        kernels.uniform(key, np.uint64(first * n), users, taken.table, taken.n_items, out)
        return out


class Popularity:
    """Unseen items of the user, drawn in proportion to (number of training events)^alpha.

    Source: word2vec's noise distribution (Mikolov et al., 2013), α = 0.75. Items are drawn by an alias table (Walker,
    1977) with rejection, then by an exact draw.
    """

    def __init__(self, interactions: Interactions, taken: Taken, *, alpha: float = 0.75) -> None:
        self.taken = taken
        self.weights = np.where(interactions.item_counts > 0, interactions.item_counts.astype(np.float64) ** alpha, 0.0)
        self.q = self.weights / self.weights.sum()
        self.keep, self.alias = alias_table(self.weights)

    def draw(self, users: np.ndarray, positives: np.ndarray, n: int, key: np.uint64, first: int) -> np.ndarray:
        out = np.empty((len(users), n), dtype=np.int64)
        table = self.taken.table
        kernels.weighted(key, np.uint64(first * n), users, table, self.weights, self.keep, self.alias, out)
        return out


class InBatch:
    """Positives of other queries of the batch that the user has not seen; otherwise uniform items."""

    def __init__(self, interactions: Interactions, taken: Taken) -> None:
        self.taken = taken
        self.q = interactions.item_counts / len(interactions)

    def draw(self, users: np.ndarray, positives: np.ndarray, n: int, key: np.uint64, first: int) -> np.ndarray:
        out = np.empty((len(users), n), dtype=np.int64)
        taken = self.taken
        kernels.in_batch(key, np.uint64(first * n), users, positives, taken.table, taken.n_items, out)
        return out


class Mixture:
    """Negatives from several sources, each drawn by the shares of the sources."""

    def __init__(self, entries: list[tuple[float, Negatives]]) -> None:
        shares = np.array([share for share, _ in entries])
        self.sources = [source for _, source in entries]
        self.thresholds = np.cumsum(shares / shares.sum())
        self.q = np.average([source.q for source in self.sources], axis=0, weights=shares)

    def draw(self, users: np.ndarray, positives: np.ndarray, n: int, key: np.uint64, first: int) -> np.ndarray:
        keys = [np.uint64(derive(int(key) >> 1, place)) for place in range(len(self.sources) + 1)]
        drawn = np.stack([s.draw(users, positives, n, k, first) for s, k in zip(self.sources, keys, strict=False)])
        out = np.empty(drawn.shape[1:], dtype=np.int64)
        kernels.pick(keys[-1], np.uint64(first * n), self.thresholds, drawn, out)
        return out


NEGATIVES: dict[str, type[Negatives]] = {
    "in_batch": InBatch,
    "popularity": Popularity,
    "uniform": Uniform,
}


def make_negatives(
    interactions: Interactions, spec: str | Mapping[str, float], alpha: float, taken: Taken
) -> Negatives:
    """Return the source given by ``sampler.negatives``: one by its name, or several by their shares.

    Raises:
        ConfigError: a name is unknown, or a share is not positive and finite.
    """
    shares = {spec: 1.0} if isinstance(spec, str) else dict(spec)
    if not shares:
        raise ConfigError(f"sampler.negatives is empty; expected one of {', '.join(NEGATIVES)}")
    sources: list[tuple[float, Negatives]] = []
    for name, share in shares.items():
        component = lookup(NEGATIVES, name, "sampler.negatives")
        if not 0 < share < np.inf:
            raise ConfigError(f"sampler.negatives.{name} is {share}; expected a finite share above 0")
        options = {"alpha": alpha} if component is Popularity else {}
        sources.append((share, component(interactions, taken, **options)))  # type: ignore[call-arg]
    return sources[0][1] if len(sources) == 1 else Mixture(sources)


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Walker's alias table of unnormalised weights (I,): keep (I,) in [0, 1] and alias (I,)."""
    n = len(weights)
    scaled = weights * (n / weights.sum())
    keep, alias = np.ones(n), np.arange(n)
    small, large = list(np.flatnonzero(scaled < 1)), list(np.flatnonzero(scaled >= 1))
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return keep, alias

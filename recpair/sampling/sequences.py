"""Sequence sampling: the next item after every prefix of a history."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from recpair.batch import Batch
from recpair.data.histories import PADDING, before, between
from recpair.data.interactions import Interactions
from recpair.errors import TrainingError
from recpair.sampling import kernels
from recpair.sampling.negative_sampler import NegativeSampler
from recpair.sampling.pairs import NEGATIVE, ORDER, POOL
from recpair.seeds import derive

RUN = 64  # batches within which histories are sorted by length


@dataclass(frozen=True)
class Windows:
    """Ranges of consecutive training rows of one user, each used as one history.

    For each row r of a window start … end − 1, row r + 1 holds the next item.
    """

    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, train: Interactions, length: int) -> "Windows":
        """Split every user's rows except the last into windows of ``length``, from the end.

        Each row except a user's first is the next item of exactly one window row.
        """
        n_read = np.maximum(np.diff(train.indptr) - 1, 0)
        n_windows = -(-n_read // length)
        user = np.repeat(np.arange(train.n_users), n_windows)
        from_last = np.arange(len(user)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        end = train.indptr[user] + n_read[user] - length * from_last
        return cls(np.maximum(train.indptr[user], end - length), end)


def _followers(train: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that follow another row of their user, and the offsets of each user among them.

    Raises:
        TrainingError: no user has two training interactions.
    """
    first = np.zeros(len(train) + 1, dtype=bool)
    first[train.indptr[:-1]] = True
    followers = np.flatnonzero(~first[:-1])
    if len(followers) == 0:
        raise TrainingError(
            "no user has two or more training interactions, so there is no next item to predict; change split or filter, "
            "or choose a model such as mf"
        )
    return followers, np.concatenate([[0], np.cumsum(np.maximum(np.diff(train.indptr) - 1, 0))])


class SequenceSampler:
    """Queries (Q,), each at the end of a prefix of a training history, its next item, and N negatives.

    ``examples: positions`` uses whole histories with a query at every position, so that a step costs about what its
    positions cost; histories longer than T are split into windows from their end, so that every event is learnt once.
    ``examples: prefixes`` uses, for each event except a user's first, the T items before it, as in SRA-CL.

    With P > 1 candidates, a pool is P events of one history. With ``positions``, each query's pool is itself and others
    of its window; with ``prefixes``, each event's pool is itself and others of its user, each with its own prefix.
    Pools are drawn without replacement if there are P events, else with replacement.

    Histories of similar length share a batch: the random order of an epoch is sorted within runs of 64 batches, and the
    batches are shuffled. Batches of long histories hold fewer, so that all have about the same number of queries.
    """

    def __init__(
        self,
        interactions: Interactions,
        candidates: int,
        seed: int,
        history_length: int,
        *,
        examples: Literal["positions", "prefixes"] = "positions",
        negatives: str | dict[str, float] = "uniform",
        popularity_alpha: Annotated[float, Field(ge=0)] = 0.75,
        n_negatives: Annotated[int, Field(gt=0)] = 1,
        shared: bool = False,
        correct: bool = False,
        exclude: Literal["taken", "target"] = "taken",
        batch_size: Annotated[int, Field(gt=0)] = 128,
    ) -> None:
        """
        Args:
            candidates: P.
            history_length: T.
            examples: histories with a query at every position (positions), or one history per query (prefixes).
            negatives: uniform, popularity, in_batch, or shares of them: ``{uniform: 0.7, popularity: 0.3}``; ``all``
                draws no negatives, for losses over the whole catalogue.
            popularity_alpha: exponent of the item counts for popularity negatives.
            n_negatives: N.
            shared: share N negatives among all queries of a batch (as in the pairs sampler).
            correct: subtract log (N · q) from the scores of negatives (as in the pairs sampler).
            exclude: items that are not negatives of a query: by default all that its user has seen in training; with
                ``target`` only the item to predict, so that a model learns, as from the full softmax, not to repeat a
                history.
            batch_size: average number of histories per batch (positions), or number of events per batch (prefixes).

        Raises:
            TrainingError: no user has two training interactions.
            ConfigError: unknown negatives.
            DataError: a user has interacted with every item.
        """
        self.interactions = interactions
        self.candidates = candidates
        self.seed = seed
        self.length = history_length
        self.by_position = examples == "positions"
        self.negative_sampler = NegativeSampler(
            interactions, (), negatives, popularity_alpha, n_negatives, shared, correct, exclude
        )
        self.log_q = self.negative_sampler.log_q
        self.followers, self.follower_indptr = _followers(interactions)
        self.windows = Windows.of(interactions, history_length)
        if self.by_position:
            self.sizes = self.windows.end - self.windows.start
            weights, per_batch = self.sizes, max(batch_size * self.sizes.mean(), self.sizes.max())
        else:
            self.sizes = np.minimum(
                self.followers - interactions.indptr[interactions.user[self.followers]], self.length
            )
            weights, per_batch = np.ones_like(self.sizes), float(batch_size)
        self.weights = weights
        self.n_batches = int(np.ceil(weights.sum() / per_batch))

    def __len__(self) -> int:
        return self.n_batches

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield batches of int64 tensors, drawn one at a time."""
        key = [np.uint64(derive(self.seed, number, stream)) for stream in (ORDER, POOL, NEGATIVE)]
        drawn = 0  # queries, or pools, before this batch
        compose = self._positions if self.by_position else self._prefixes
        for chosen in self._batches(np.random.Generator(np.random.Philox(key=int(key[ORDER])))):
            rows, history, at, pools = compose(chosen, key[POOL], drawn)
            users, positives = (
                self.interactions.user[rows].astype(np.int64),
                self.interactions.item[rows].astype(np.int64),
            )
            negatives, false_negatives = self.negative_sampler.draw(users, positives, key[NEGATIVE], drawn)
            drawn += len(rows)
            yield Batch(
                user=torch.from_numpy(users),
                positives=torch.from_numpy(positives).unsqueeze(1),
                negatives=negatives,
                rows=torch.from_numpy(rows).unsqueeze(1),
                history=torch.from_numpy(history),
                at=None if at is None else torch.from_numpy(at),
                false_negatives=false_negatives,
                pools=None if pools is None else torch.from_numpy(pools),
            )

    def _batches(self, generator: np.random.Generator) -> list[np.ndarray]:
        """Return the windows (or events) of each batch: of similar length and number of queries, in random order.

        Batch b contains what ends in the b-th of equal shares of all queries. A share is no smaller than the longest
        window, so that no batch is empty.
        """
        order = generator.permutation(len(self.sizes))
        runs = np.arange(len(order)) * self.n_batches // (RUN * len(order))
        order = order[np.lexsort((self.sizes[order], runs))]
        ends = np.cumsum(self.weights[order])
        share = (ends * self.n_batches - 1) // ends[-1]
        batches = np.split(order, np.flatnonzero(np.diff(share)) + 1)
        return [batches[place] for place in generator.permutation(len(batches))]

    def _positions(
        self, chosen: np.ndarray, key: np.uint64, first: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return rows (Q,) of the positives, history (H, T), positions (Q,), pools (Q, P) or None of some windows."""
        start, end, size = self.windows.start[chosen], self.windows.end[chosen], self.sizes[chosen]
        history = between(self.interactions, start, end, int(size.max()))
        at = np.flatnonzero(history != PADDING)
        indptr = np.concatenate([[0], np.cumsum(size)])
        window = np.repeat(np.arange(len(chosen)), size)
        queries = np.arange(len(at))
        rows = start[window] + queries - indptr[window] + 1
        if self.candidates == 1:
            return rows, history, at, None
        pools = np.empty((len(rows), self.candidates), dtype=np.int64)
        kernels.pools(key, np.uint64(first), window, queries, indptr, pools)
        return rows, history, at, pools

    def _prefixes(
        self, chosen: np.ndarray, key: np.uint64, first: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return rows (Q,) of the positives, history (Q, T), None, pools (Q / P, P) or None of some events."""
        pools = None
        if self.candidates > 1:
            events = np.empty((len(chosen), self.candidates), dtype=np.int64)
            users = self.interactions.user[self.followers[chosen]].astype(np.int64)
            kernels.pools(key, np.uint64(first), users, chosen, self.follower_indptr, events)
            pools, chosen = np.arange(events.size).reshape(events.shape), events.flatten()
        rows, longest = self.followers[chosen], int(self.sizes[chosen].max())
        return rows, before(self.interactions, rows, longest), None, pools

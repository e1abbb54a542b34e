"""Pair sampling: a user's positive, or a pool of positives, with unseen items as negatives."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Protocol

import numpy as np
import torch
from pydantic import Field

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import TrainingError
from recpair.sampling import kernels
from recpair.sampling.negative_sampler import NegativeSampler
from recpair.seeds import derive

ORDER, POOL, NEGATIVE = range(3)  # random streams of an epoch


class Sampler(Protocol):
    """Mini-batches of an epoch; all randomness depends on (seed, epoch) only.

    Attributes:
        log_q: log (N · q) (I,), with N · q the expected count of an item among the N negatives of a query, if scores
            are to be corrected by it; else None.
    """

    log_q: np.ndarray | None

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``, identical on every call and for any number of threads."""
        ...


class PairSampler:
    """Queries (Q,), pools of P positives, and N unseen negatives of the user.

    ``queries: interactions`` has one query per training interaction, in random order; its pool is the interaction
    (column 0) and P − 1 others of the user. ``queries: users`` draws the same number of users, uniformly with
    replacement from those with interactions, as in PLD (WWW 2025). Pools are drawn without replacement if the user has
    at least P interactions, else with replacement.
    """

    def __init__(
        self,
        interactions: Interactions,
        candidates: int,
        seed: int,
        also_taken: Sequence[Interactions] = (),
        *,
        n_positives: Annotated[int, Field(gt=0)] | None = None,
        negatives: str | dict[str, float] = "uniform",
        popularity_alpha: Annotated[float, Field(ge=0)] = 0.75,
        n_negatives: Annotated[int, Field(gt=0)] = 1,
        shared: bool = False,
        correct: bool = False,
        batch_size: Annotated[int, Field(gt=0)] = 2048,
        queries: Literal["interactions", "users"] = "interactions",
    ) -> None:
        """
        Args:
            candidates: P required by the components.
            also_taken: further events whose items are excluded from the negatives of their users.
            n_positives: P, if larger than required by the components.
            negatives: uniform, popularity, in_batch, or shares of them: ``{uniform: 0.7, popularity: 0.3}``; ``all``
                draws no negatives, for losses over the whole catalogue.
            popularity_alpha: exponent of the item counts for popularity negatives.
            n_negatives: N.
            shared: share N negatives among all queries of a batch, so that hundreds cost one matrix product; items that
                a query's user has seen are masked for that query.
            correct: subtract log (N · q) from the scores of negatives drawn with probability q, so that the sum over
                them estimates that over all items (Bengio & Senécal 2008; Yi et al., RecSys 2019); for sampled_softmax.
            batch_size: Q; the last batch of an epoch may be smaller.

        Raises:
            TrainingError: there are no interactions.
            ConfigError: unknown negatives.
            DataError: a user has interacted with every item.
        """
        if len(interactions) == 0:
            raise TrainingError("there are no training interactions to sample from; change split or filter")
        self.interactions = interactions
        self.candidates = n_positives or candidates
        self.seed = seed
        self.batch_size = batch_size
        self.by_user = queries == "users"
        self.negative_sampler = NegativeSampler(
            interactions, also_taken, negatives, popularity_alpha, n_negatives, shared, correct
        )
        self.log_q = self.negative_sampler.log_q
        self.active = np.flatnonzero(np.diff(interactions.indptr))

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield batches of int64 tensors, drawn one at a time."""
        key = [np.uint64(derive(self.seed, number, stream)) for stream in (ORDER, POOL, NEGATIVE)]
        events = self.interactions
        order = None
        if not self.by_user:
            order = np.random.Generator(np.random.Philox(key=int(key[ORDER]))).permutation(len(events))
        for first in range(0, len(events), self.batch_size):
            size = min(self.batch_size, len(events) - first)
            if order is None:
                rows = np.empty(0, dtype=np.int64)
                drawn = np.empty(size, dtype=np.int64)
                kernels.draw_of(key[ORDER], np.uint64(first), len(self.active), drawn)
                users = self.active[drawn]
            else:
                rows = order[first : first + size]
                users = events.user[rows].astype(np.int64)
            pool = np.empty((size, self.candidates), dtype=np.int64)
            kernels.pools(key[POOL], np.uint64(first), users, rows, events.indptr, pool)
            positives = events.item[pool].astype(np.int64)
            negatives, false_negatives = self.negative_sampler.draw(users, positives[:, 0], key[NEGATIVE], first)
            yield Batch(
                torch.from_numpy(users),
                torch.from_numpy(positives),
                negatives,
                torch.from_numpy(pool),
                false_negatives=false_negatives,
            )

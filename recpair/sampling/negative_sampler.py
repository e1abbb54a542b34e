"""Negative sampling for a mini-batch: per query, shared by all queries, or the whole catalogue."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.sampling import kernels
from recpair.sampling.negatives import Taken, make_negatives

ALL = "all"  # instead of a source of negatives: the whole catalogue


class NegativeSampler:
    """Negative sampling for a mini-batch, common to all samplers.

    Attributes:
        source: source of negatives; None for losses over the whole catalogue.
        log_q: log (N · q) (I,), with N · q the expected count of an item among a query's negatives, if scores are
            corrected by it; else None.
    """

    def __init__(
        self,
        interactions: Interactions,
        also_taken: Sequence[Interactions],
        spec: str | dict[str, float],
        popularity_alpha: float,
        n_negatives: int,
        shared: bool,
        correct: bool,
        exclude: Literal["taken", "target"] = "taken",
    ) -> None:
        """
        Args:
            exclude: items that are not negatives of a query: all that its user has seen, or only its own positive.

        Raises:
            ConfigError: unknown negatives.
            DataError: a user has interacted with every item.
        """
        self.n_negatives, self.shared, self.exclude = n_negatives, shared, exclude
        self.source, self.log_q = None, None
        if spec == ALL:
            return
        self.taken = Taken(interactions, *also_taken)
        self.source = make_negatives(interactions, spec, popularity_alpha, self.taken)
        self.log_q = log_expected(self.source.q, n_negatives) if correct else None

    def draw(
        self, users: np.ndarray, positives: np.ndarray, key: np.uint64, first: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the negatives (Q, N), or (1, N) if shared, and the mask (Q, N) of those to ignore, or None.

        ``first`` is the number of queries before this batch.
        """
        if self.source is None:
            return None, None
        if self.exclude == "taken" and not self.shared:
            return torch.from_numpy(self.source.draw(users, positives, self.n_negatives, key, first)), None
        nobody = np.full(1 if self.shared else len(users), self.taken.nobody)
        drawn = self.source.draw(nobody, positives, self.n_negatives, key, first)
        if self.exclude == "target":
            return torch.from_numpy(drawn), torch.from_numpy(drawn == positives[:, np.newaxis])
        known = np.zeros((len(users), self.n_negatives), dtype=bool)
        kernels.mark_known(users, self.taken.table, drawn[0], self.taken.n_items, known)
        return torch.from_numpy(drawn), torch.from_numpy(known)


def log_expected(q: np.ndarray, n_negatives: int) -> np.ndarray:
    """Return log (N · q) as float32, with 0 for items that the source itself never draws."""
    logarithm: np.ndarray = np.log(n_negatives * q, out=np.zeros(len(q)), where=q > 0)
    return logarithm.astype(np.float32)

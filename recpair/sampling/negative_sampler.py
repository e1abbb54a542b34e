"""What the queries of a batch are compared with: negatives of their own, negatives that all share, or everything."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.sampling import kernels
from recpair.sampling.negatives import Taken, make_negatives

ALL = "all"  # in place of a source of negatives: the whole catalogue


class NegativeSampler:
    """Draws the negatives of a batch, in every sampler alike.

    Attributes:
        source: where negatives come from; None for losses over the whole catalogue.
        log_q: log (N · q) (I,), of how often an item is expected among a query's negatives, where scores are corrected
            by it; else None.
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
            exclude: what is no negative of a query: whatever its user has taken, or only its own positive.

        Raises:
            ConfigError: unknown negatives.
            DataError: a user has taken every item.
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
        """Negatives (Q, N), or (1, N) for all, and which of them (Q, N) count for nothing; None where there are none.

        ``first`` counts the queries before this batch.
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
    """log (N · q) as float32, and 0 for items that the source itself never draws."""
    logarithm: np.ndarray = np.log(n_negatives * q, out=np.zeros(len(q)), where=q > 0)
    return logarithm.astype(np.float32)

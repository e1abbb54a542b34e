"""Scorer of RecBole models that score pairs of users and items."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

PAIRS = 2**18  # (user, item) pairs scored at a time for a whole catalogue


@dataclass(frozen=True)
class PairScorer:
    """Scores from a model of (user, item) pairs.

    Attributes:
        users: of the queries.
        n_items: I.
        predict: users (C,) and items (C,) → scores (C,).
        full: users (Q,) → scores (Q, I), for models that do not need to score every pair separately; else None.
    """

    users: Int[Tensor, "Q"]
    n_items: int
    predict: Callable[[Tensor, Tensor], Tensor]
    full: Callable[[Tensor], Tensor] | None

    def of(self, items: Int[Tensor, "Q C"]) -> Float[Tensor, "Q C"]:
        users = self.users.repeat_interleave(items.shape[1])
        return self.predict(users, items.flatten()).view(items.shape)

    def catalogue(self) -> Float[Tensor, "Q I"]:
        if self.full is not None:
            return self.full(self.users)
        every = torch.arange(self.n_items, device=self.users.device)
        step = max(1, PAIRS // max(1, len(self.users)))
        return torch.cat([self.of(part.expand(len(self.users), -1)) for part in every.split(step)], dim=1)

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        return self.catalogue().logsumexp(dim=1, keepdim=True)

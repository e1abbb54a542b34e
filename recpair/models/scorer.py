"""The narrow waist: what a model gives to losses, denoisers, contrast terms and rankings."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recpair.models.lookup import look_up


@runtime_checkable
class Scorer(Protocol):
    """Scores of items for the Q queries that it was made for."""

    def of(self, items: Int[Tensor, "Q C"]) -> Float[Tensor, "Q C"]:
        """Scores of C items per query."""
        ...

    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Scores of every item."""
        ...

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        """log Σ exp(score) over every item, in nats."""
        ...


@dataclass(frozen=True)
class Vectors:
    """The Scorer of inner-product models: score = ⟨query, item⟩, or the cosine of the two.

    Can be exported to an index, and is what contrast terms work on.
    """

    queries: Float[Tensor, "Q D"]
    items: Float[Tensor, "I D"]
    cosine: bool = False

    def of(self, items: Int[Tensor, "Q C"]) -> Float[Tensor, "Q C"]:
        vectors = look_up(self.items, items)
        return (self._unit(self.queries).unsqueeze(1) * self._unit(vectors)).sum(-1)

    def catalogue(self) -> Float[Tensor, "Q I"]:
        return self._unit(self.queries) @ self._unit(self.items).T

    def log_partition(self, block: int = 8192) -> Float[Tensor, "Q 1"]:
        """log Σ exp(score) over the whole catalogue, a block of items at a time; blocks are recomputed for the gradient."""
        queries, sums = self._unit(self.queries), []
        for start in range(0, len(self.items), block):
            items = self.items[start : start + block]
            sums.append(checkpoint(self._block, queries, items, use_reentrant=False))
        return torch.logsumexp(torch.stack(sums), dim=0).unsqueeze(1)

    def _block(self, queries: Tensor, items: Tensor) -> Tensor:
        return torch.logsumexp(queries @ self._unit(items).T, dim=1)

    def _unit(self, vectors: Tensor) -> Tensor:
        return torch.nn.functional.normalize(vectors, dim=-1) if self.cosine else vectors

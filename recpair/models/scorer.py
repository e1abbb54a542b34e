"""The narrow waist: what a model gives to losses, denoisers, contrast terms and rankings."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Scorer(Protocol):
    """Scores of items for the Q queries that it was made for."""

    def of(self, items: Int[Tensor, "Q C"]) -> Float[Tensor, "Q C"]:
        """Scores of C items per query."""
        ...

    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Scores of every item."""
        ...


@dataclass(frozen=True)
class Vectors:
    """The Scorer of inner-product models: score = ⟨query, item⟩ + item bias.

    Can be exported to an index, and is what contrast terms work on.
    """

    queries: Float[Tensor, "Q D"]
    items: Float[Tensor, "I D"]
    bias: Float[Tensor, "I"] | None = None

    def of(self, items: Int[Tensor, "Q C"]) -> Float[Tensor, "Q C"]:
        vectors = torch.nn.functional.embedding(items, self.items)
        scores = (self.queries.unsqueeze(1) * vectors).sum(-1)
        return scores if self.bias is None else scores + self.bias[items]

    def catalogue(self) -> Float[Tensor, "Q I"]:
        scores = self.queries @ self.items.T
        return scores if self.bias is None else scores + self.bias

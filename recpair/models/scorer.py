"""The narrow waist: what a model gives to losses, denoisers, contrast terms and rankings."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from recpair.models.lookup import inner_products, look_up
from recpair.models.partition import log_partition

Similarity = Literal["dot", "cosine"]


@runtime_checkable
class Scorer(Protocol):
    """Scores of items for the Q queries that it was made for."""

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        """Scores of C items per query; one row of items is scored for all queries."""
        ...

    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Scores of every item."""
        ...

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        """log Σ exp(score) over every item, in nats."""
        ...


@dataclass(frozen=True)
class Vectors:
    """The Scorer of inner-product models: score = ⟨query, item⟩.

    Can be exported to an index, and is what contrast terms work on.
    """

    queries: Float[Tensor, "Q D"]
    items: Float[Tensor, "I D"]

    @classmethod
    def compared(cls, queries: Float[Tensor, "Q D"], items: Float[Tensor, "I D"], similarity: Similarity) -> "Vectors":
        """Scores by inner product (dot), or by the cosine of query and item."""
        if similarity == "cosine":
            return cls(normalize(queries, dim=-1), normalize(items, dim=-1))
        return cls(queries, items)

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        if len(items) == 1:
            return self.queries @ look_up(self.items, items[0]).T
        return inner_products(self.queries, self.items, items)

    def catalogue(self) -> Float[Tensor, "Q I"]:
        return self.queries @ self.items.T

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        return log_partition(self.queries, self.items)

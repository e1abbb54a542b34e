"""Scorers: the interface between models and losses, denoisers, contrastive terms and rankings."""

from abc import ABC, abstractmethod
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
    """Scores of items for a fixed set of Q queries."""

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        """Return the scores of C items per query; a single row of items is scored for all queries."""
        ...

    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Return the scores of all items."""
        ...

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        """Return log Σ exp(score) over all items, in nats."""
        ...


@dataclass(frozen=True)
class Vectors:
    """Scorer of inner-product models: score = ⟨query, item⟩.

    It can be exported to an index, and contrastive terms operate on it.
    """

    queries: Float[Tensor, "Q D"]
    items: Float[Tensor, "I D"]

    @classmethod
    def compared(cls, queries: Float[Tensor, "Q D"], items: Float[Tensor, "I D"], similarity: Similarity) -> "Vectors":
        """Score by the inner product (dot) or the cosine of query and item."""
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


class CatalogueScorer(ABC):
    """Scorer of models that compute the scores of all items at once."""

    @abstractmethod
    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Return the scores of all items."""

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        scores = self.catalogue()
        return scores.gather(1, items.to(scores.device).expand(len(scores), -1))

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        return self.catalogue().logsumexp(dim=1, keepdim=True)


@dataclass(frozen=True)
class TableScorer(CatalogueScorer):
    """Scores of the whole catalogue, from a model that returns them all at once."""

    scores: Float[Tensor, "Q I"]

    def catalogue(self) -> Float[Tensor, "Q I"]:
        return self.scores

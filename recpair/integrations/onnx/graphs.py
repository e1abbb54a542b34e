"""Graphs that are exported: the k best items of users or of histories, as torch modules."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from recpair.data.histories import PADDING


class Graph(nn.Module, ABC):
    """The k best items (Q, k) and their scores (Q, k) for Q queries; −1 and −∞ where fewer than k items are left.

    Args of ``forward``: the queries (users or histories), k (int64, scalar) and exclude_seen (bool, scalar).
    """

    @abstractmethod
    def scores(self, queries: Tensor) -> Float[Tensor, "Q I"]:
        """Return the scores of all items."""

    @abstractmethod
    def seen(self, queries: Tensor) -> Int[Tensor, "Q _"]:
        """Return the items that ``exclude_seen`` hides; −1 is ignored."""

    def forward(self, queries: Tensor, k: Tensor, exclude_seen: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.scores(queries)
        hidden = marked(self.seen(queries), scores.shape[1])
        scores = scores.masked_fill(hidden & exclude_seen, -torch.inf)
        number: Any = k.item()  # a symbol while traced
        torch._check(number >= 1)
        torch._check(number <= scores.shape[1])
        best, items = scores.topk(number)
        return torch.where(best > -torch.inf, items, PADDING), best


class UserGraph(Graph):
    """Graph of inner products of user and item vectors, for rows of the user vectors.

    Args:
        indptr: places of each user's items in ``events``.
        events: items of the training events, user by user.
    """

    indptr: Tensor
    events: Tensor
    user_vectors: Tensor
    item_vectors: Tensor

    def __init__(
        self,
        users: Float[Tensor, "U D"],
        items: Float[Tensor, "I D"],
        indptr: Int[Tensor, "_"],
        events: Int[Tensor, "E"],
    ) -> None:
        super().__init__()
        for name, tensor in {"user_vectors": users, "item_vectors": items, "indptr": indptr, "events": events}.items():
            self.register_buffer(name, tensor)
        self.width = int(indptr.diff().max())

    def scores(self, queries: Int[Tensor, "Q"]) -> Float[Tensor, "Q I"]:
        return linear(embedding(queries, self.user_vectors), self.item_vectors)

    def seen(self, queries: Int[Tensor, "Q"]) -> Int[Tensor, "Q _"]:
        places = self.indptr[queries].unsqueeze(1) + torch.arange(self.width)
        inside = places < self.indptr[queries + 1].unsqueeze(1)
        return torch.where(inside, self.events[places.clamp_max(len(self.events) - 1)].long(), PADDING)


class HistoryGraph(Graph):
    """Graph of a model of histories (Q, L), padded with −1 on the left; L may differ from call to call."""

    def __init__(self, scorer: nn.Module) -> None:
        super().__init__()
        self.scorer = scorer

    def scores(self, queries: Int[Tensor, "Q _"]) -> Float[Tensor, "Q I"]:
        scores: Tensor = self.scorer(queries)
        return scores

    def seen(self, queries: Int[Tensor, "Q _"]) -> Int[Tensor, "Q _"]:
        return queries


class InnerProducts(nn.Module):
    """Scores ⟨encoder(history), item⟩, or their cosines."""

    item_vectors: Tensor

    def __init__(self, encoder: nn.Module, items: Float[Tensor, "I D"], cosine: bool) -> None:
        super().__init__()
        self.encoder, self.cosine = encoder, cosine
        self.register_buffer("item_vectors", items)

    def forward(self, history: Int[Tensor, "Q _"]) -> Float[Tensor, "Q I"]:
        queries = self.encoder(history)
        return linear(torch.nn.functional.normalize(queries, dim=1) if self.cosine else queries, self.item_vectors)


class DenseWeights(nn.Module):
    """Scores Σ_j W[j] over the distinct items j of a history."""

    weights: Tensor

    def __init__(self, weights: Float[Tensor, "I I"]) -> None:
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, history: Int[Tensor, "Q _"]) -> Float[Tensor, "Q I"]:
        return marked(history, len(self.weights)).to(self.weights.dtype) @ self.weights


class SparseWeights(nn.Module):
    """Scores Σ_j W[j] over the distinct items j of a history, with at most K non-zero weights in each row of W.

    Args:
        neighbours: columns of the weights; I where a row has fewer than K.
    """

    neighbours: Tensor
    weights: Tensor

    def __init__(self, neighbours: Int[Tensor, "I K"], weights: Float[Tensor, "I K"]) -> None:
        super().__init__()
        self.register_buffer("neighbours", neighbours)
        self.register_buffer("weights", weights)

    def forward(self, history: Int[Tensor, "Q _"]) -> Float[Tensor, "Q I"]:
        n_items = len(self.weights)
        places = torch.arange(history.shape[1]).expand(history.shape)
        slots = torch.where(history < 0, n_items, history)
        latest = torch.zeros(history.shape[0], n_items + 1, dtype=torch.int64).scatter_reduce(1, slots, places, "amax")
        counted = (history >= 0) & (latest.gather(1, slots) == places)  # an item is counted once
        rows = history.clamp_min(0)
        values = (embedding(rows, self.weights) * counted.unsqueeze(2)).flatten(1)
        columns = self.neighbours[rows].long().flatten(1)
        return values.new_zeros(history.shape[0], n_items + 1).scatter_add(1, columns, values)[:, :n_items]


def marked(items: Int[Tensor, "Q _"], n_items: int) -> Bool[Tensor, "Q I"]:
    """Return True for each item in a row; −1 is ignored."""
    empty = torch.zeros(items.shape[0], n_items + 1, dtype=torch.bool)
    return empty.scatter(1, torch.where(items < 0, n_items, items), True)[:, :n_items]

"""Values of the legend, computed lazily when a metric first needs them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.evaluation.kernels import find_rows
from recpair.evaluation.legend import is_cut
from recpair.evaluation.pairs import scored_pairs
from recpair.models import Model, Vectors


@dataclass(eq=False)
class Context:
    """Values shared by all lists.

    Attributes:
        model: the model whose scores are measured; None if only lists are measured.
        vectors_of: the model whose item vectors are used.
        text_vectors: unit vectors of the item texts (I, S), dense or CSR; None without texts.
    """

    train: Interactions
    held_out: Interactions
    histories: Histories
    model: Model | None = None
    vectors_of: Model | None = None
    text_vectors: Any = None

    @property
    def n_items(self) -> int:
        return self.train.n_items

    @property
    def n_users(self) -> int:
        return self.train.n_users

    @property
    def item_counts(self) -> np.ndarray:
        return self.train.item_counts

    @cached_property
    def item_users(self) -> np.ndarray:
        train, first = self.train, np.ones(len(self.train), dtype=bool)
        first[1:] = (np.diff(train.user) != 0) | (np.diff(train.sorted_items) != 0)
        return np.bincount(train.sorted_items[first], minlength=train.n_items)

    @cached_property
    @torch.no_grad()
    def item_vectors(self) -> np.ndarray | None:
        """Item vectors, float32 (I, D); None if the scores of the model are not inner products of vectors."""
        assert self.vectors_of is not None
        query = torch.zeros(1, dtype=torch.int64, device=self.vectors_of.device)
        scorer = self.vectors_of.score(self.vectors_of.batch_of(query, self.histories))
        if not isinstance(scorer, Vectors) or scorer.items.shape[1] < 2:
            return None
        return scorer.items.float().cpu().numpy()

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.model is not None
        return scored_pairs(self.model, self.histories, self.held_out, self.model.device)

    @property
    def pair_scores(self) -> np.ndarray:
        return self._pairs[0]

    @property
    def pair_held_out(self) -> np.ndarray:
        return self._pairs[1]


@dataclass(eq=False)
class Lists:
    """Values of a block of ranked lists.

    Attributes:
        items: int32 (B, K); K is the largest cut-off.
        relevant: relevant items of each list.
        relevant_gains: float64, gain of each entry of ``relevant.items``; None for gains of 1.
        full_ideal: whether the ideal list holds all relevant items, not the first K.
    """

    items: np.ndarray
    relevant: ItemLists
    relevant_gains: np.ndarray | None
    full_ideal: bool
    context: Context

    def supply(self, name: str, cutoff: int) -> Any:
        """Return a value of the legend, cut at ``cutoff`` if it has the axis K."""
        value = getattr(self if hasattr(type(self), name) or name == "items" else self.context, name)
        if not is_cut(name) or (name == "ideal_gains" and self.full_ideal):
            return value
        return value[:, :cutoff]

    @cached_property
    def _places(self) -> np.ndarray:
        """Position of each item in ``relevant.items``, int64 (B, K); -1 if it is not relevant."""
        places: np.ndarray = find_rows(self.items, self.relevant.indptr, self.relevant.items)
        return places

    @cached_property
    def hits(self) -> np.ndarray:
        hits: np.ndarray = self._places >= 0
        return hits

    @cached_property
    def gains(self) -> np.ndarray:
        if self.relevant_gains is None:
            return self.hits.astype(np.float64)
        return np.where(self.hits, self.relevant_gains[self._places], 0.0)

    @cached_property
    def n_relevant(self) -> np.ndarray:
        return np.diff(self.relevant.indptr)

    @cached_property
    def ideal_gains(self) -> np.ndarray:
        n = self.n_relevant
        width = max(1, int(n.max())) if self.full_ideal else self.items.shape[1]
        if self.relevant_gains is None:
            return (np.arange(width) < n[:, None]).astype(np.float64)
        order = np.lexsort((-self.relevant_gains, self.relevant_lists))
        rank = np.arange(len(order)) - np.repeat(
            self.relevant.indptr[:-1], n
        )  # rank of each entry of order in its list
        kept = rank < width
        ideal = np.zeros((len(n), width))
        ideal[self.relevant_lists[kept], rank[kept]] = self.relevant_gains[order][kept]
        return ideal

    @property
    def relevant_items(self) -> np.ndarray:
        return self.relevant.items

    @cached_property
    def relevant_lists(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.relevant)), self.n_relevant)

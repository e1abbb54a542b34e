"""Transitions: a fitted model of the items that follow each other in histories."""

import logging
from typing import Annotated

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from recpair.batch import Batch
from recpair.data.histories import padded
from recpair.data.interactions import Interactions
from recpair.models.contract import FittedModel, HistoryModel
from recpair.models.scorer import TableScorer
from recpair.models.semantic_items import SemanticItems
from recpair.models.sparse.matrix import SparseMatrix, dense_product

logger = logging.getLogger("recpair")

SMALLEST = 1e-37  # weights below are dropped, so that no quotient overflows single precision


class Transitions(HistoryModel, FittedModel):
    """Discounted transitions between items that are near each other in a history, and similar texts.

    A[i, j] sums decay^(d−1) over all places of training histories with j at distance d ≤ ``window`` after i, plus
    ``backward`` times the same with j before i; P = diag(1/r) A diag(1/c^column_exponent), with r and c the row and
    column sums of A. For a history ending in … m, l, score = graph / max(graph) + text_weight · text, with graph =
    Σ_h (P^h[l] + last_decay · P^h[m] + …) over h = 1 … ``hops`` and the ``last`` items, its maximum over all items, and
    text = cos(x_l, ·) + last_decay · cos(x_m, ·) + …, x the vectors of the config section ``semantics``, sparse for
    ``tfidf``; without that section, text is 0. A history shorter than ``last`` repeats its first item. An item without
    transitions or without text adds nothing; an empty history scores all items 0.

    Source of the idea: arXiv 2605.07125 (2026). Memory: at most 2 · ``window`` entries of P per training event; P² is
    never formed.
    """

    item_to_item = True

    def __init__(
        self,
        interactions: Interactions,
        semantic_items: np.ndarray | sp.csr_matrix | None = None,
        *,
        window: Annotated[int, Field(ge=1)] = 3,
        decay: Annotated[float, Field(gt=0, le=1)] = 0.5,
        backward: Annotated[float, Field(ge=0)] = 0.5,
        column_exponent: Annotated[float, Field(ge=0, le=1)] = 0.3,
        hops: Annotated[int, Field(ge=1, le=10)] = 2,
        last: Annotated[int, Field(ge=1, le=100)] = 2,
        last_decay: Annotated[float, Field(gt=0, le=1)] = 0.6,
        text_weight: Annotated[float, Field(ge=0)] = 1.0,
        time_decay: Annotated[float, Field(gt=0)] | None = None,
    ) -> None:
        """
        Args:
            window: largest distance of two items of a history that counts as a transition.
            backward: weight of a transition against the order of the history.
            column_exponent: discount of popular items; 0 for none.
            hops: longest walk.
            last: number of items at the end of a history from which the walks start.
            last_decay: weight of an item relative to the one after it.
            time_decay: days between two events after which their transition counts half; None: time is not used.
        """
        super().__init__()
        self.window, self.decay, self.backward = window, decay, backward
        self.column_exponent, self.hops, self.time_decay = column_exponent, hops, time_decay
        self.history_length, self.last_decay, self.text_weight = last, last_decay, text_weight
        self.transitions = SparseMatrix(interactions.n_items, interactions.n_items)
        self.text = SemanticItems(interactions.n_items, semantic_items if text_weight > 0 else None)

    def fit(self, interactions: Interactions) -> None:
        if self.text_weight > 0 and not self.text.known:
            logger.info("model.text_weight has no effect without item texts; add semantics: {name: tfidf}")
        counts = self._counts(interactions)
        rows, columns = counts.sum(axis=1).A1, counts.sum(axis=0).A1
        counts.data /= np.repeat(rows, np.diff(counts.indptr))
        counts.data /= columns[counts.indices] ** self.column_exponent
        self.transitions.assign(counts)

    def _counts(self, events: Interactions) -> sp.csr_matrix:
        """Return A, float64 (I, I)."""
        counts: sp.csr_matrix = sp.csr_matrix((events.n_items, events.n_items))
        longest = int(np.diff(events.indptr).max(initial=0))
        for distance in range(1, min(self.window, longest - 1) + 1):
            first = np.flatnonzero(events.user[distance:] == events.user[:-distance])
            second = first + distance
            weight = self.decay ** (distance - 1) * self._recency(events, first, second)
            counts = counts + sp.csr_matrix((weight, (events.item[first], events.item[second])), shape=counts.shape)
        counts = (counts + self.backward * counts.T).tocsr()
        counts.data[counts.data < SMALLEST] = 0
        counts.eliminate_zeros()
        return counts

    def _recency(self, events: Interactions, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Weights of pairs of rows by the time between them."""
        if self.time_decay is None:
            return np.ones(len(first))
        assert events.time is not None, "the composition root requires times"
        half_life = self.time_decay * events.clock.per_day("model.time_decay")
        gap: np.ndarray = events.time[second].astype(np.float64) - events.time[first]
        return np.exp2(-gap / half_life)

    def score(self, batch: Batch) -> TableScorer:
        assert batch.history is not None, "a model of transitions needs histories"
        starts = self._starts(batch.history)
        graph = self._walked(starts)
        return TableScorer(torch.from_numpy(self._with_text(starts, graph, graph.max(axis=1, keepdims=True))))

    def contributions(
        self, history: np.ndarray, items: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the terms of the items at the end of the history, all divided by the maximum of the whole graph."""
        start = self._starts(torch.from_numpy(padded([history], self.history_length)))
        start.sum_duplicates()
        distinct = start.indices[start.data > 0]
        each = sp.csr_matrix(
            (start.data[start.data > 0], distinct, np.arange(len(distinct) + 1)), shape=(len(distinct), start.shape[1])
        )
        largest = self._walked(start).max(axis=1, keepdims=True)
        return distinct, self._with_text(each, self._walked(each), largest)[:, items]

    def _walked(self, starts: sp.csr_matrix) -> np.ndarray:
        """Return Σ_h starts · P^h (Q, I), without a power of P."""
        steps, walks = self.transitions.matrix, starts
        for _ in range(self.hops - 1):
            walks = starts + walks @ steps
        return dense_product(walks, steps)

    def _with_text(self, starts: sp.csr_matrix, graph: np.ndarray, largest: np.ndarray) -> np.ndarray:
        """Return graph / largest + text_weight · text."""
        scores: np.ndarray = graph / np.where(largest > 0, largest, 1)
        if self.text.known:
            scores += self.text_weight * self.text.similarities(starts)
        return scores

    def _starts(self, history: Int[Tensor, "Q T"]) -> sp.csr_matrix:
        """Return the weights of the last items of each history, float32 (Q, I)."""
        latest = history.cpu().numpy()[:, ::-1]
        real = latest >= 0
        places = np.minimum(np.arange(self.history_length), np.maximum(real.sum(axis=1, keepdims=True) - 1, 0))
        weights = np.float32(self.last_decay) ** np.arange(self.history_length, dtype=np.float32) * real[:, :1]
        items = np.maximum(np.take_along_axis(latest, places, axis=1), 0)
        indptr = np.arange(len(items) + 1) * self.history_length
        shape = len(items), self.transitions.matrix.shape[0]
        return sp.csr_matrix((weights.ravel(), items.ravel(), indptr), shape=shape)

"""Extended models: a trained model with items that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.models.contract import FittedModel, Model
from recpair.models.scorer import Scorer, TableScorer, Vectors


@dataclass(frozen=True, eq=False)
class NewItems:
    """Items that are added to a catalogue, and the known items that are most similar to them.

    Attributes:
        size: number of items of the extended catalogue; the items of the trained model come first.
        places: indices of the added items, int64 (n,). Items without a training event may be among them, and are
            replaced.
        nearest: index of the known item that is most similar to each, by vectors if the model has some, int64 (n,).
        known: indices of the known items, int64.
        vectors, mean: their vectors (n, D), and the mean vector of the known items, for a model of vectors.
        weights: weights of known items, CSR (n, I) with rows that sum to 1, for other models.
        factor: of the difference of a score from the mean score of the known items, for other models.
    """

    size: int
    places: np.ndarray
    nearest: np.ndarray
    known: np.ndarray
    vectors: np.ndarray | None = None
    mean: np.ndarray | None = None
    weights: sp.csr_matrix | None = None
    factor: float = 1.0

    def spread(self, factor: float) -> "NewItems":
        """Return the items with scores m + factor · (s − m), m the mean score of the known items for a query."""
        if self.vectors is None or self.mean is None:
            return replace(self, factor=factor)
        return replace(self, vectors=self.mean + np.float32(factor) * (self.vectors - self.mean))


class ExtendedVectors(Vectors):
    """Vectors of a trained model and of added items; the scores of other items are bitwise those of the model."""

    known: Float[Tensor, "I D"]
    places: Int[Tensor, "_"]

    def __init__(self, queries: Tensor, items: Tensor, known: Tensor, places: Tensor) -> None:
        vars(self).update(queries=queries, items=items, known=known, places=places)

    def catalogue(self) -> Float[Tensor, "Q I"]:
        scores = self.queries.new_zeros(len(self.queries), len(self.items))
        scores[:, : len(self.known)] = self.queries @ self.known.T
        scores[:, self.places] = self.queries @ self.items[self.places].T
        return scores


class Extended(FittedModel):
    """Scores of a trained model, extended by items that have no training events.

    A model of vectors scores a new item by its vector, score(q, i) = ⟨q, v_i⟩. For other models it is the weighted mean of
    the scores of known items, score(q, i) = Σ_j w_ij s(q, j). In a history, a new item counts as the known item that is
    most similar to it. Scores of known items do not change.
    """

    def __init__(self, base: Model, new: NewItems) -> None:
        super().__init__()
        self.base, self.new = base, new
        self.item_to_item, self.weighs_events = base.item_to_item, base.weighs_events
        self.stand_in = np.arange(new.size)
        self.stand_in[new.places] = new.nearest
        self._place = np.full(new.size, -1)
        self._place[new.places] = np.arange(len(new.places))
        self._table: tuple[Tensor, int, Tensor] | None = (
            None  # vectors of the model, their version, and the extended table
        )
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.base.device

    def fit(self, interactions: Interactions) -> None:
        """Raise a ConfigError: the model is trained before it is extended."""
        raise ConfigError("an extended model is made of a finished run; use run.add_items")

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        batch = self.base.batch_of(user, histories)
        if batch.history is None:
            return batch
        items = torch.from_numpy(self.stand_in).to(batch.history.device)
        history = torch.where(batch.history >= 0, items[batch.history.clamp_min(0)], batch.history)
        return replace(batch, history=history)

    @torch.no_grad()
    def score(self, batch: Batch) -> Scorer:
        return self._extended(self.base.score(batch))

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        """Score unknown users; an item–item model has, for a history of a new item only, the mean of its neighbours."""
        scorer = self.base.fold_in([self.stand_in[history] for history in histories])
        if self.item_to_item and self.new.weights is not None:
            alone = [row for row, items in enumerate(histories) if len(items) == 1 and self._place[items[0]] >= 0]
            if alone:
                scorer = self._mixed(scorer, alone, [int(self._place[histories[row][0]]) for row in alone])
        return self._extended(scorer)

    def _mixed(self, scorer: Scorer, rows: list[int], places: list[int]) -> TableScorer:
        """Replace the scores of histories of one new item by the weighted mean of those of its neighbours."""
        assert self.new.weights is not None
        scores = scorer.catalogue().clone()
        for row, place in zip(rows, places, strict=True):
            weights = self.new.weights[place]
            found = self.base.fold_in([np.array([item]) for item in weights.indices]).catalogue()
            scores[row] = torch.from_numpy(weights.data).to(scores.dtype) @ found
        return TableScorer(scores)

    def _extended(self, scorer: Scorer) -> Scorer:
        if self.new.vectors is not None:
            assert isinstance(scorer, Vectors), "vectors are fitted to those of the model"
            places = torch.from_numpy(self.new.places).to(scorer.items.device)
            return ExtendedVectors(scorer.queries, self._items(scorer.items, places), scorer.items, places)
        assert self.new.weights is not None
        known = scorer.catalogue().float().cpu().numpy()
        scores = np.zeros((len(known), self.new.size), dtype=np.float32)
        scores[:, : known.shape[1]] = known
        mean = known[:, self.new.known].mean(axis=1, keepdims=True)
        scores[:, self.new.places] = mean + np.float32(self.new.factor) * ((self.new.weights @ known.T).T - mean)
        return TableScorer(torch.from_numpy(scores))

    def _items(self, known: Float[Tensor, "I D"], places: Int[Tensor, "_"]) -> Float[Tensor, "_ D"]:
        """Return the extended table of vectors, the same one for the same vectors of the model."""
        if self._table is None or self._table[0] is not known or self._table[1] != known._version:
            items = known.new_zeros(self.new.size, known.shape[1])
            items[: len(known)] = known
            items[places] = torch.from_numpy(self.new.vectors).to(items)
            self._table = known, known._version, items
        return self._table[2]

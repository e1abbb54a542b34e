"""What every model is: a torch module that answers a batch with a Scorer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.histories import Histories, padded
from recpair.data.interactions import Interactions
from recpair.models.scorer import Scorer, Similarity, Vectors

Touched = tuple[Float[Tensor, "_ D"], Tensor]  # a table, and the indices of its rows that a batch touches, of any shape


class Model(nn.Module, ABC):
    """Scores items for queries; everything that it learnt is in its state dict.

    A model is made as ``Model(interactions, *, …options)`` from the training interactions, and is
    either a ``GradientModel`` or a ``FittedModel``.

    Attributes:
        item_to_item: whether scores are sums of item–item weights over a history, so that ``fold_in`` of one item
            gives its weights to all items.
        weighs_events: whether ``fit`` uses the weights of the events; in a gradient model, losses of pairs do.
    """

    item_to_item: bool = False
    weighs_events: bool = False

    @abstractmethod
    def score(self, batch: Batch) -> Scorer:
        """A Scorer for the batch's queries."""

    @abstractmethod
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        """A Scorer for people who were not in training, known by the items (int) that they took."""

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        """The queries of users; models other than sequence models do not read the histories."""
        return Batch.of_users(user)


class GradientModel(Model):
    """A model that the training loop fits."""

    def start(self, interactions: Interactions) -> None:
        """What is worth doing once before the first epoch, and not when a trained model is loaded; nothing by default."""

    @abstractmethod
    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        """What a batch touches of each table of raw embeddings, for the L2 penalty: one pair a kind."""


class OwnLossModel(GradientModel):
    """A gradient model that can bring the whole loss of its authors, ``loss: {name: own}``.

    With any other loss it is trained as every gradient model is, by its scores.
    """

    @abstractmethod
    def own_loss(self, batch: Batch, epoch: int) -> Float[Tensor, ""]:
        """What the authors minimise for a batch (P = 1), their regularisation and contrast included; epochs from 1."""


class SequenceModel(GradientModel):
    """A gradient model whose queries are what somebody took before, and nothing else.

    Attributes:
        history_length: T, the places of a history that it reads; longer ones are cut at their start.
        every_place: whether ``encode`` gives a vector for every place, or for the last alone: then training needs a history
            for each query (the sampler's ``examples: prefixes``).
        similarity: of a query and an item: their product, or their cosine (for losses with a temperature).
    """

    history_length: int
    every_place: ClassVar[bool] = True
    similarity: Similarity = "dot"

    @abstractmethod
    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H _ D"]:
        """A vector for every place, of the items up to and with it; histories are padded on the left.

        ``_`` is T, or 1, the last place, where the model has not ``every_place``.
        """

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        """The last place's vectors of ``encode``; a model that can have them for less does so."""
        return self.encode(history)[:, -1]

    @abstractmethod
    def item_vectors(self) -> Float[Tensor, "I D"]:
        """What a query's vector is multiplied with."""

    def score(self, batch: Batch) -> Vectors:
        assert batch.history is not None, "a sequence model needs histories"
        history, at = batch.history, batch.at
        queries = self.encode_last(history) if at is None else self.encode(history).flatten(0, 1)[at]
        return Vectors.compared(queries, self.item_vectors(), self.similarity)

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        """The item that a query stands at, in place of a user, and what it is compared with."""
        assert batch.history is not None, "a sequence model needs histories"
        current = batch.history[:, -1] if batch.at is None else batch.history.flatten()[batch.at]
        items = (batch.positives,) if batch.negatives is None else (batch.positives, batch.negatives)
        return tuple((self.item_vectors(), rows) for rows in (current.clamp_min(0), *items))

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        history = histories.latest(user.cpu().numpy(), self.history_length)
        return Batch.of_users(user, torch.from_numpy(history).to(user.device))

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> Vectors:
        """Nobody is a stranger: a history is all that a query is made of."""
        history = torch.from_numpy(padded(histories, self.history_length)).to(self.item_vectors().device)
        return Vectors.compared(self.encode_last(history), self.item_vectors(), self.similarity)


class FittedModel(Model):
    """A model with a fit of its own: a closed form, a count, or its own kernel."""

    @abstractmethod
    def fit(self, interactions: Interactions) -> None:
        """Learn from the training interactions."""

"""Base classes of the models: torch modules that return a Scorer for a batch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.histories import Histories, padded
from recpair.data.interactions import Interactions
from recpair.models.scorer import Scorer, Similarity, Vectors

Touched = tuple[Float[Tensor, "_ D"], Tensor]  # a table, and the indices of the rows used by a batch, of any shape


class Model(nn.Module, ABC):
    """Base class of all models; the state dict contains everything that is learnt.

    A model is constructed as ``Model(interactions, *, …options)`` from the training interactions, and is either a
    ``GradientModel`` or a ``FittedModel``. Other values before ``*`` are supplied by name too (``step.SUPPLIES``, those
    for construction) and have a default, as a run folder is loaded from the interactions and the state dict alone.

    Attributes:
        item_to_item: True if scores are made of item–item weights over a history; ``fold_in`` of a single item then
            returns its weights to all items.
        weighs_events: True if ``fit`` uses the event weights; in gradient models, the losses of pairs use them.
        needs_times: True if the training events must have times.
    """

    item_to_item: bool = False
    weighs_events: bool = False
    needs_times: bool = False

    @property
    def device(self) -> torch.device:
        """Device of the parameters and buffers; the CPU for a model without any."""
        return next((t.device for t in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    @abstractmethod
    def score(self, batch: Batch) -> Scorer:
        """Return a Scorer for the queries of a batch."""

    @abstractmethod
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        """Return a Scorer for unknown users, given by the items (int) of their histories."""

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        """Return the queries of the users; only a ``HistoryModel`` reads the histories."""
        return Batch.of_users(user)

    def contributions(
        self, history: np.ndarray, items: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the terms of the scores of a user with this history: distinct items (J,) and float (J, C).

        The terms of an item add up to its score. None (default): the scores are not sums over the items of a history.

        Args:
            history: items, the oldest first.
            items: C items whose scores are explained.
            weight: event weights of the history; None: 1.
        """
        return None


class HistoryModel(Model):
    """A model whose queries consist of a user's previous interactions only, trained by gradient descent or fitted.

    ``score`` uses ``batch.history`` and not the users, so known and unknown users are scored alike.

    Attributes:
        history_length: T, the maximum length of a history; of longer histories, the latest T items are used.
    """

    needs_times = True
    history_length: int

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        history = histories.latest(user.cpu().numpy(), self.history_length)
        return Batch.of_users(user, torch.from_numpy(history).to(user.device))

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        history = torch.from_numpy(padded(histories, self.history_length))
        return self.score(Batch.of_users(torch.arange(len(history)), history).to(self.device))


class GradientModel(Model):
    """A model trained by gradient descent in the training loop."""

    def start(self, interactions: Interactions) -> None:
        """Initialise before the first epoch; not called when a trained model is loaded. Does nothing by default."""

    @abstractmethod
    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        """Return the rows of each table of raw embeddings used by a batch, for the L2 penalty: one pair per kind."""


class OwnLossModel(GradientModel):
    """A gradient model that provides the complete loss of its authors, ``loss: {name: own}``.

    With any other loss it is trained on its scores, like every gradient model.
    """

    @abstractmethod
    def own_loss(self, batch: Batch, epoch: int) -> Float[Tensor, ""]:
        """Return the authors' loss of a batch (P = 1), with regularisation and contrastive terms; epochs from 1."""


class SequenceModel(HistoryModel, GradientModel):
    """A gradient model that encodes a history as a vector.

    Attributes:
        every_place: True if ``encode`` returns a vector for every position; if for the last only, training needs a
            history for each query (the sampler's ``examples: prefixes``).
        similarity: of a query and an item: inner product, or cosine (for losses with a temperature).
    """

    every_place: ClassVar[bool] = True
    similarity: Similarity = "dot"

    @abstractmethod
    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H _ D"]:
        """Return a vector for each position, of the items up to and including it; histories are padded on the left.

        ``_`` is T, or 1 (the last position) without ``every_place``.
        """

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        """Return ``encode`` at the last position; overridden by models that can compute it at lower cost."""
        return self.encode(history)[:, -1]

    @abstractmethod
    def item_vectors(self) -> Float[Tensor, "I D"]:
        """Return the item vectors, which are multiplied with the query vectors."""

    def raw_item_vectors(self) -> Float[Tensor, "I D"]:
        """Return the embeddings of the items, a parameter; overridden by models that compute item vectors from them."""
        return self.item_vectors()

    def queries(self, batch: Batch) -> Float[Tensor, "Q D"]:
        """Return the query vectors: the last position of each history, or the positions of the batch."""
        assert batch.history is not None, "a sequence model needs histories"
        if batch.at is None:
            return self.encode_last(batch.history)
        return self.encode(batch.history).flatten(0, 1)[batch.at]

    def score(self, batch: Batch) -> Vectors:
        return Vectors.compared(self.queries(batch), self.item_vectors(), self.similarity)

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        """Return the last item of each query (in place of a user), the positives and the negatives."""
        assert batch.history is not None, "a sequence model needs histories"
        current = batch.history[:, -1] if batch.at is None else batch.history.flatten()[batch.at]
        items = (batch.positives,) if batch.negatives is None else (batch.positives, batch.negatives)
        return tuple((self.raw_item_vectors(), rows) for rows in (current.clamp_min(0), *items))


class ContentModel(Model):
    """A model that places items by their content, so that it scores items without training events too."""

    @property
    @abstractmethod
    def reads_content(self) -> bool:
        """False for a model that was trained without content, and treats such items like any other model."""

    @property
    @abstractmethod
    def texts(self) -> Float[np.ndarray, "I S"]:
        """Semantic vectors of the items, as the model was trained with; S is 0 without."""

    @abstractmethod
    def content_vectors(self, items: np.ndarray) -> Float[np.ndarray, "R D"]:
        """Return the vectors that items would have if they were new, by their content alone."""

    @abstractmethod
    def with_items(
        self, size: int, places: np.ndarray, semantic_vectors: np.ndarray, item_categories: sp.csr_matrix
    ) -> "ContentModel":
        """Return a copy with a catalogue of ``size`` items, of which those at ``places`` are new.

        Args:
            semantic_vectors, item_categories: content of the new items, in the order of ``places``.
        """


class FittedModel(Model):
    """A model fitted outside the training loop: in closed form, by counting, or with its own kernel."""

    @abstractmethod
    def fit(self, interactions: Interactions) -> None:
        """Fit the model to the training interactions."""

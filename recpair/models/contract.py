"""What every model is: a torch module that answers a batch with a Scorer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models.scorer import Scorer


class Model(nn.Module, ABC):
    """Scores items for queries; everything that it learnt is in its state dict.

    A model is made as ``Model(interactions, *, …options)`` from the training interactions, and is
    either a ``GradientModel`` or a ``FittedModel``.
    """

    @abstractmethod
    def score(self, batch: Batch) -> Scorer:
        """A Scorer for the batch's queries."""

    @abstractmethod
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        """A Scorer for people who were not in training, known by the items (int) that they took."""


class GradientModel(Model):
    """A model that the training loop fits."""

    @abstractmethod
    def regularised(self, batch: Batch) -> tuple[Float[Tensor, "Q _ D"], ...]:
        """The raw embeddings that a batch touches, for the L2 penalty: one tensor a kind."""


class FittedModel(Model):
    """A model with a fit of its own: a closed form, a count, or its own kernel."""

    @abstractmethod
    def fit(self, interactions: Interactions) -> None:
        """Learn from the training interactions."""

"""Most-popular baseline."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models.contract import FittedModel
from recpair.models.scorer import Vectors


class Popularity(FittedModel):
    """score(u, i) = number of training users who interacted with item i, the same for all users."""

    counts: Tensor

    def __init__(self, interactions: Interactions) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(interactions.n_items))

    @classmethod
    def fitted(cls, interactions: Interactions) -> "Popularity":
        """Return a model fitted to the training interactions."""
        model = cls(interactions)
        model.fit(interactions)
        return model

    def fit(self, interactions: Interactions) -> None:
        users_per_item = np.bincount(interactions.to_scipy().indices, minlength=interactions.n_items)
        self.counts.copy_(torch.from_numpy(users_per_item))

    def score(self, batch: Batch) -> Vectors:
        return self._same_for(len(batch))

    def fold_in(self, histories: Sequence[np.ndarray]) -> Vectors:
        return self._same_for(len(histories))

    def _same_for(self, queries: int) -> Vectors:
        return Vectors(queries=self.counts.new_ones((queries, 1)), items=self.counts.unsqueeze(1))

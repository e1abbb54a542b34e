"""ItemKNN: an item-based neighbourhood model."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models import kernels
from recpair.models.contract import FittedModel
from recpair.models.sparse.item_weights import SparseScorer


class ItemKNN(FittedModel):
    """The k most similar items of each item, by cosine with shrinkage: ⟨x_i, x_j⟩ / (‖x_i‖·‖x_j‖ + shrinkage).

    x_i (U,) holds the weights of the events with item i, 1 unless the data has weights; with weights of 1, the
    similarity is |U_i ∩ U_j| / (√|U_i|·√|U_j| + shrinkage). Histories are sets of items, without weights.

    Source: Sarwar et al., WWW 2001; shrinkage as in Dacrema et al., RecSys 2019. A score is the sum of the similarities
    from the items of the user's history to the item, each limited to its own neighbours.
    """

    item_to_item = True
    weighs_events = True
    neighbours: Tensor
    weights: Tensor

    def __init__(
        self,
        interactions: Interactions,
        *,
        k: Annotated[int, Field(gt=0)] = 100,
        shrinkage: Annotated[float, Field(ge=0)] = 10.0,
    ) -> None:
        super().__init__()
        self.shrinkage = shrinkage
        self.histories = ItemLists.of_users(interactions)
        shape = interactions.n_items, min(k, interactions.n_items)
        self.register_buffer("neighbours", torch.zeros(shape, dtype=torch.int32))
        self.register_buffer("weights", torch.zeros(shape))

    def fit(self, interactions: Interactions) -> None:
        users = interactions.to_scipy()
        users.data = interactions.weights_in(users)
        items = users.T.tocsr()
        squares = np.bincount(users.indices, users.data.astype(np.float64) ** 2, minlength=interactions.n_items)
        norms = np.sqrt(squares).astype(np.float32)
        tables = (items.indptr, items.indices, items.data, users.indptr, users.indices, users.data)
        shrinkage = np.float32(self.shrinkage)
        kernels.nearest_by_cosine(*tables, norms, shrinkage, self.neighbours.numpy(), self.weights.numpy())

    def score(self, batch: Batch) -> SparseScorer:
        return self._scorer(self.histories.rows(batch.user.cpu().numpy()))

    def fold_in(self, histories: Sequence[np.ndarray]) -> SparseScorer:
        return self._scorer(ItemLists.of_lists(histories))

    def _scorer(self, histories: ItemLists) -> SparseScorer:
        return SparseScorer.of_neighbours(histories, self.neighbours, self.weights)

"""ItemKNN: an item-based neighbourhood model."""

from typing import Annotated

import numpy as np
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.models import kernels
from recpair.models.sparse.item_weights import NeighbourModel


class ItemKNN(NeighbourModel):
    """The k most similar items of each item, by cosine with shrinkage: ⟨x_i, x_j⟩ / (‖x_i‖·‖x_j‖ + shrinkage).

    x_i (U,) holds the weights of the events with item i, 1 unless the data has weights; with weights of 1, the
    similarity is |U_i ∩ U_j| / (√|U_i|·√|U_j| + shrinkage). Histories are sets of items, without weights.

    Source: Sarwar et al., WWW 2001; shrinkage as in Dacrema et al., RecSys 2019. A score is the sum of the similarities
    from the items of the user's history to the item, each limited to its own neighbours.
    """

    weighs_events = True

    def __init__(
        self,
        interactions: Interactions,
        *,
        k: Annotated[int, Field(gt=0)] = 100,
        shrinkage: Annotated[float, Field(ge=0)] = 10.0,
    ) -> None:
        super().__init__(interactions, k)
        self.shrinkage = shrinkage

    def fit(self, interactions: Interactions) -> None:
        users = interactions.to_scipy()
        users.data = interactions.weights_in(users)
        items = users.T.tocsr()
        squares = np.bincount(users.indices, users.data.astype(np.float64) ** 2, minlength=interactions.n_items)
        norms = np.sqrt(squares).astype(np.float32)
        tables = (items.indptr, items.indices, items.data, users.indptr, users.indices, users.data)
        shrinkage = np.float32(self.shrinkage)
        kernels.nearest(*tables, norms, norms, shrinkage, False, self.neighbours.numpy(), self.weights.numpy())

"""Models of sparse item–item weights: a score is the sum of the weights from the items of the user's history."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models.contract import FittedModel
from recpair.models.scorer import CatalogueScorer
from recpair.models.sparse import kernels
from recpair.models.sparse.matrix import SparseMatrix


@dataclass(frozen=True)
class SparseScorer(CatalogueScorer):
    """score(q, i) = s_q · Σ_j W[j, i] over the items j of q's history.

    Attributes:
        weights: indptr, indices and values of W (I, I) in CSR.
        scale: s (Q,), or None for 1.
    """

    histories: ItemLists
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]
    scale: Float[Tensor, "Q"] | None = None

    def catalogue(self) -> Float[Tensor, "Q I"]:
        indptr, _, values = self.weights
        out = np.zeros((len(self.histories), len(indptr) - 1), dtype=values.dtype)
        kernels.add_rows(self.histories.indptr, self.histories.items, *self.weights, out)
        scores = torch.from_numpy(out)
        return scores if self.scale is None else scores.mul_(self.scale.unsqueeze(1))


BLOCK = 64  # items of a history whose weights to all items are computed at a time


class ItemToItemModel(FittedModel):
    """Base class of models whose scores are sums over the set of the items of a history."""

    item_to_item = True

    def __init__(self, interactions: Interactions) -> None:
        super().__init__()
        self.histories = ItemLists.of_users(interactions)

    @abstractmethod
    def scorer(self, histories: ItemLists) -> CatalogueScorer:
        """Return the scorer of histories."""

    def score(self, batch: Batch) -> CatalogueScorer:
        return self.scorer(self.histories.rows(batch.user.cpu().numpy()))

    def fold_in(self, histories: Sequence[np.ndarray]) -> CatalogueScorer:
        return self.scorer(ItemLists.of_lists(histories))

    @torch.no_grad()
    def contributions(
        self, history: np.ndarray, items: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of histories of one item."""
        distinct = np.unique(history)
        blocks = [distinct[first : first + BLOCK] for first in range(0, len(distinct), BLOCK)]
        terms = [self.fold_in(list(block.reshape(-1, 1))).catalogue()[:, items].cpu().numpy() for block in blocks]
        return distinct, np.concatenate([np.empty((0, len(items)), dtype=np.float32), *terms])


class NeighbourModel(ItemToItemModel):
    """Base class of models that learn K = min(k, I) neighbours of each item and the weights from the item to them."""

    neighbours: Tensor
    weights: Tensor

    def __init__(self, interactions: Interactions, k: int) -> None:
        super().__init__(interactions)
        shape = interactions.n_items, min(k, interactions.n_items)
        self.register_buffer("neighbours", torch.zeros(shape, dtype=torch.int32))
        self.register_buffer("weights", torch.zeros(shape))

    def scorer(self, histories: ItemLists) -> SparseScorer:
        """Return the scorer of histories."""
        neighbours, values = (part.cpu().numpy() for part in (self.neighbours, self.weights))
        indptr = np.arange(len(values) + 1, dtype=np.int64) * values.shape[1]
        return SparseScorer(histories, (indptr, neighbours.ravel(), values.ravel()))


class SparseItemModel(ItemToItemModel):
    """Base class of models that learn a sparse matrix W (I, I): row j holds the weights from item j to all items."""

    def __init__(self, interactions: Interactions) -> None:
        super().__init__(interactions)
        self.weights = SparseMatrix(interactions.n_items, interactions.n_items)

    def scorer(self, histories: ItemLists) -> CatalogueScorer:
        """Return the scorer of histories."""
        return SparseScorer(histories, self.weights.arrays())

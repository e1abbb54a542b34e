"""Models of sparse item–item weights: a score is the sum of the weights from the items of the user's history."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models.contract import FittedModel
from recpair.models.scorer import CatalogueScorer
from recpair.models.sparse import kernels


class SparseMatrix(nn.Module):
    """Learnt matrix (I, I) in CSR; buffers, whose lengths follow the loaded state dict."""

    indptr: Tensor
    indices: Tensor
    values: Tensor

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.register_buffer("indptr", torch.zeros(n_items + 1, dtype=torch.int64))
        self.register_buffer("indices", torch.empty(0, dtype=torch.int32))
        self.register_buffer("values", torch.empty(0))

    def set(self, matrix: Any) -> None:
        """Replace the matrix by a scipy matrix (I, I)."""
        rows: Any = sp.csr_array(matrix)
        self.indptr = torch.from_numpy(rows.indptr.astype(np.int64))
        self.indices = torch.from_numpy(rows.indices.astype(np.int32))
        self.values = torch.from_numpy(rows.data.astype(np.float32))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return indptr, indices and values."""
        return self.indptr.cpu().numpy(), self.indices.cpu().numpy(), self.values.cpu().numpy()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any) -> None:
        """Give the buffers the number of entries of the loaded matrix, and check that it is one."""
        loaded = [state_dict[prefix + name] for name in ("indptr", "indices", "values") if prefix + name in state_dict]
        if len(loaded) == 3:
            self.indices, self.values = torch.empty_like(loaded[1]), torch.empty_like(loaded[2])
            if not _is_csr(len(self.indptr) - 1, *loaded):
                arguments[-1].append(f"{prefix}indptr, indices and values are not a sparse matrix of items × items")
                return
        super()._load_from_state_dict(state_dict, prefix, *arguments)


def _is_csr(n_items: int, indptr: Tensor, indices: Tensor, values: Tensor) -> bool:
    """Return True if the parts are a CSR matrix of items × items, so that kernels can use them without checks."""
    return (
        len(indptr) == n_items + 1
        and int(indptr[0]) == 0
        and bool((indptr.diff() >= 0).all())
        and int(indptr[-1]) == len(indices) == len(values)
        and bool(((indices >= 0) & (indices < n_items)).all())
    )


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


class ItemToItemModel(FittedModel):
    """Base class of models whose scorer depends on the items of a history only."""

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
        self.weights = SparseMatrix(interactions.n_items)

    def scorer(self, histories: ItemLists) -> CatalogueScorer:
        """Return the scorer of histories."""
        return SparseScorer(histories, self.weights.arrays())

"""Graph filters: scores are polynomials of the item–item graph, plus an ideal low-pass filter."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models.scorer import CatalogueScorer
from recpair.models.sparse import kernels
from recpair.models.sparse.graph import Graph
from recpair.models.sparse.item_weights import ItemToItemModel
from recpair.models.sparse.svd import right_singular_vectors

WIDTH = 64  # queries per product with the graph: a user's or an item's row is 256 bytes


@dataclass(frozen=True)
class FilterScorer(CatalogueScorer):
    """scores = r P b(P) + (Σ_j low[j]) · filteredᵀ over the items j of a history r, for a polynomial b.

    Attributes:
        coefficients: of b, the constant first.
        low: D_I^−½ V, the input of the low-pass filter.
        filtered: its output: α · (Vᵀ D_I^½ q(P))ᵀ.
    """

    histories: ItemLists
    graph: Graph
    coefficients: np.ndarray
    low: Float[Tensor, "I D"]
    filtered: Float[Tensor, "I D"]

    def catalogue(self) -> Float[Tensor, "Q I"]:
        low, filtered = self.low.cpu(), self.filtered.cpu()
        scores = torch.empty(len(self.histories), len(low), dtype=low.dtype)
        for first in range(0, len(scores), WIDTH):
            self._blurred(np.arange(first, min(first + WIDTH, len(scores))), scores[first : first + WIDTH].numpy())
        items, starts = (
            torch.from_numpy(part.astype(np.int64)) for part in (self.histories.items, self.histories.indptr)
        )
        vectors = torch.nn.functional.embedding_bag(items, low, starts, mode="sum", include_last_offset=True)
        return scores.addmm_(vectors, filtered.T)

    def _blurred(self, queries: np.ndarray, out: np.ndarray) -> None:
        """out (Q, I) = r P b(P), by way of the users: r R̃ᵀ b(S) R̃."""
        users, items = self.graph.users, self.graph.items
        width = -(-len(queries) // 16) * 16  # whole vector registers
        histories = self.histories.rows(queries)
        scale = (1.0 / np.sqrt(items.degrees)).astype(out.dtype)
        total = np.zeros((len(users.degrees), width), dtype=out.dtype)
        kernels.add_to_users(histories.indptr, histories.items, scale, items.indptr, items.indices, total)
        total /= users.degrees[:, None].astype(out.dtype)
        total = self.graph.filtered_users(self.coefficients, total)
        kernels.sum_rows_transposed(items.indptr, items.indices, scale, total, items.bounds, out)


class GraphFilter(ItemToItemModel):
    """Base class: score = r (P b(P) + α · D_I^−½ V Vᵀ D_I^½ q(P)), with the polynomials b and q of a subclass.

    R̃ = D_U^−½ R D_I^−½ is the normalised interaction matrix, P = R̃ᵀR̃ (I, I), which is never formed, and V (I, k) its
    leading right singular vectors (0 beyond the rank of R̃).
    """

    low: Tensor
    filtered: Tensor

    def __init__(self, interactions: Interactions, k: int, alpha: float, max_share: float) -> None:
        super().__init__(interactions)
        smaller = min(interactions.n_users, interactions.n_items)
        self.k, self.alpha = min(k, max(1, int(max_share * smaller))), alpha
        self.graph = Graph(interactions)
        shape = interactions.n_items, self.k
        self.register_buffer("low", torch.zeros(shape))
        self.register_buffer("filtered", torch.zeros(shape))

    @abstractmethod
    def polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients of b and q, the constants first."""

    def fit(self, interactions: Interactions) -> None:
        vectors = right_singular_vectors(self.graph, self.k, self.low.dtype)
        roots = torch.from_numpy(np.sqrt(self.graph.items.degrees)).to(vectors.dtype).unsqueeze(1)
        self.low = vectors / roots
        self.filtered = self.alpha * torch.from_numpy(
            self.graph.polynomial(self.polynomials()[1], (vectors * roots).numpy())
        )

    def scorer(self, histories: ItemLists) -> FilterScorer:
        """Return the scorer of histories."""
        return FilterScorer(histories, self.graph, self.polynomials()[0], self.low, self.filtered)

"""Learnt projection of semantic vectors, added to item embeddings."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

from recpair.models.blas import gram, one_thread
from recpair.models.lookup import inner_products, look_up
from recpair.models.scorer import Vectors
from recpair.seeds import generator


class TextProjection(nn.Module):
    """e_i + W x_i, with e_i an item embedding, x_i (S) the fixed semantic vector of the item and W (D, S) learnt.

    Semantic vectors are a buffer (I, S), zero for an item without text, so a trained model needs no texts. Of longer
    vectors, the first ``length`` principal directions (uncentred) are kept, S = ``length``, which bounds the cost of a
    step and the memory. Without vectors, S is 0; ``load_state_dict`` accepts any S. W is initialised to N(0, std²).
    """

    vectors: Tensor

    def __init__(self, n_items: int, vectors: np.ndarray | None, length: int, dim: int, std: float) -> None:
        super().__init__()
        kept = np.zeros((n_items, 0), np.float32) if vectors is None else principal(vectors, length)
        self.register_buffer("vectors", torch.from_numpy(kept))
        self.weight = nn.Parameter(torch.empty(dim, self.vectors.shape[1]))
        nn.init.normal_(self.weight, std=std, generator=generator())
        self._cached: tuple[object, Tensor] | None = None

    def table(self, embeddings: Float[Tensor, "I D"]) -> Float[Tensor, "I D"]:
        """Return the vectors of all items, computed once for the same weights in evaluation without gradients."""
        if self.training or torch.is_grad_enabled():
            return embeddings + linear(self.vectors, self.weight)
        weights = [(each.data_ptr(), each._version) for each in (embeddings, self.vectors, self.weight)]
        if self._cached is None or self._cached[0] != weights:
            self._cached = weights, embeddings + linear(self.vectors, self.weight)
        return self._cached[1]

    def rows(self, embeddings: Float[Tensor, "I D"], items: Int[Tensor, "R"]) -> Float[Tensor, "R D"]:
        """Return the vectors of some items."""
        return look_up(embeddings, items) + linear(look_up(self.vectors, items), self.weight)

    def train(self, mode: bool = True) -> "TextProjection":
        self._cached = None
        return super().train(mode)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        if (loaded := state_dict.get(f"{prefix}vectors")) is not None and loaded.ndim == 2:
            self.vectors = self.vectors.new_empty((len(self.vectors), loaded.shape[1]))
            self.weight.data = self.weight.new_empty((len(self.weight), loaded.shape[1]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def principal(vectors: Float[np.ndarray, "I S"], length: int) -> Float[np.ndarray, "I _"]:
    """Return the coordinates of vectors on their first ``length`` right singular vectors; shorter vectors unchanged."""
    if vectors.shape[1] <= length:
        return vectors
    with one_thread():
        directions = np.linalg.eigh(gram(vectors).astype(np.float64))[1][:, ::-1]
        kept: np.ndarray = vectors @ directions[:, :length].astype(np.float32)
    return kept


class LazyVectors(Vectors):
    """Vectors of items with a text projection; the table of all items is computed at its first use.

    Scores of few items, as in sampled losses, need their rows only: ⟨q, e_i + W x_i⟩ = ⟨q, e_i⟩ + ⟨Wᵀ q, x_i⟩.
    """

    embeddings: Float[Tensor, "I D"]
    text: TextProjection
    gradients: bool

    def __init__(self, queries: Float[Tensor, "Q D"], embeddings: Float[Tensor, "I D"], text: TextProjection) -> None:
        vars(self).update(queries=queries, embeddings=embeddings, text=text, gradients=torch.is_grad_enabled())

    @cached_property
    def items(self) -> Float[Tensor, "I D"]:
        with torch.set_grad_enabled(self.gradients):  # the first use may be that of a diagnostic
            return self.text.table(self.embeddings)

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        if "items" in vars(self) or items.numel() >= len(self.embeddings):
            return super().of(items)
        if len(items) == 1:
            return self.queries @ self.text.rows(self.embeddings, items[0]).T
        of_text = inner_products(self.queries @ self.text.weight, self.text.vectors, items)
        return inner_products(self.queries, self.embeddings, items) + of_text

"""Semantic vectors of the items as a part of a model."""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from recpair.models.sparse.matrix import SparseMatrix, dense_product


class SemanticItems(nn.Module):
    """Vectors (I, S) of length one, dense or sparse, in the state dict: a trained model needs no texts.

    Without vectors, S is 0; ``load_state_dict`` accepts any S.
    """

    dense: Tensor

    def __init__(self, n_items: int, vectors: np.ndarray | sp.csr_matrix | None) -> None:
        super().__init__()
        self.sparse = SparseMatrix(n_items, None)
        if isinstance(vectors, sp.csr_matrix):
            self.sparse.assign(vectors)
            vectors = None
        self.register_buffer("dense", torch.zeros(n_items, 0) if vectors is None else torch.from_numpy(vectors))

    @property
    def known(self) -> bool:
        """True if any item has a vector."""
        return self.dense.numel() + self.sparse.values.numel() > 0

    def similarities(self, histories: sp.csr_matrix) -> np.ndarray:
        """Return Σ_j weight(q, j) · ⟨x_j, x_i⟩, float32 (Q, I), for weighted items of histories (Q, I)."""
        if self.dense.numel() > 0:
            items = self.dense.cpu().numpy()
            summed: np.ndarray = (histories @ items) @ items.T
            return summed
        return dense_product(histories @ self.sparse.matrix, self.sparse.transposed)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        if (loaded := state_dict.get(f"{prefix}dense")) is not None:
            self.dense = self.dense.new_empty((len(self.dense), *loaded.shape[1:]))
        super()._load_from_state_dict(state_dict, prefix, *rest)

"""Cosine similarity of items, by the vectors of the model or by their training users."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.models import Model, Vectors


@dataclass(frozen=True, eq=False)
class ItemSimilarity:
    """Cosine of item vectors; for models without vectors, |U_i ∩ U_j| / √(|U_i| · |U_j|) with the training users U.

    A model has item vectors if its Scorer is ``Vectors`` with at least two dimensions.
    """

    model: Model
    train: Interactions

    @cached_property
    def vectors(self) -> torch.Tensor | None:
        """Item vectors (I, D) of length 1 (0 stays 0), or None."""
        users = torch.zeros(1, dtype=torch.int64)
        with torch.no_grad():
            batch: Batch = self.model.batch_of(users, Histories((self.train,)))
            scorer = self.model.score(batch)
        if not isinstance(scorer, Vectors) or scorer.items.shape[1] < 2:
            return None
        return torch.nn.functional.normalize(scorer.items.detach(), dim=1)

    @cached_property
    def _users_of_items(self) -> Any:
        """Rows of length 1, sparse (I, U)."""
        items: Any = sp.csr_array(self.train.to_scipy().T)
        lengths = np.sqrt(np.maximum(np.diff(items.indptr), 1)).astype(np.float32)
        return sp.csr_array(sp.diags_array(1 / lengths) @ items)

    def among(self, items: np.ndarray) -> np.ndarray:
        """Return the similarities of items (P,) to each other, float32 (P, P)."""
        if self.vectors is None:
            rows = self._users_of_items[items]
            among: np.ndarray = (rows @ rows.T).toarray()
            return among
        vectors = self.vectors[torch.from_numpy(items.astype(np.int64))]
        return (vectors @ vectors.T).float().cpu().numpy()

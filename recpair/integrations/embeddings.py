"""Vectors of the users and items of a trained model, whose inner products are its scores."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.models import Model, Vectors

BLOCK = 1024  # users at a time


@dataclass(frozen=True, eq=False)
class Trained:
    """Users and items with a training event; others have no trained vector and are never recommended.

    Attributes:
        users: ascending indices, int64.
        items: ascending indices, int64.
        user_ids: external ids of ``users``.
        item_ids: external ids of ``items``.
    """

    users: np.ndarray
    items: np.ndarray
    user_ids: pl.Series
    item_ids: pl.Series

    @classmethod
    def of(cls, train: Interactions) -> "Trained":
        """Return the users and items of the training events."""
        users, items = np.flatnonzero(np.diff(train.indptr)), np.flatnonzero(train.item_counts)
        user_ids, item_ids = train.vocabulary.users.of(users), train.vocabulary.items.of(items)
        return cls(users, items, user_ids.alias("user_id"), item_ids.alias("item_id"))


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Float32 vectors: score(u, i) = ⟨users[u], items[i]⟩, in the order of ``trained``.

    Attributes:
        metric: inner_product, or cosine if the model compares directions; all vectors then have length 1.
    """

    trained: Trained
    users: Float[np.ndarray, "U D"]
    items: Float[np.ndarray, "I D"]
    metric: str

    @classmethod
    @torch.no_grad()
    def of(cls, model: Model, train: Interactions) -> "Embeddings | None":
        """Compute the vectors of a model, those of a sequence model's users from their training events.

        Returns None if scores are not inner products of vectors of at least two numbers.
        """
        trained, histories = Trained.of(train), Histories((train,))
        chosen = torch.from_numpy(trained.items)
        users = []
        for first in range(0, len(trained.users), BLOCK):
            block = torch.from_numpy(trained.users[first : first + BLOCK])
            scorer = model.score(model.batch_of(block, histories))
            if not isinstance(scorer, Vectors) or scorer.items.shape[1] < 2:
                return None
            users.append(_array(scorer.queries))
            if first == 0:
                items = _array(scorer.items[chosen])
        metric = "cosine" if getattr(model, "similarity", "dot") == "cosine" else "inner_product"
        return cls(trained, np.concatenate(users), items, metric)


def _array(vectors: torch.Tensor) -> np.ndarray:
    return vectors.float().cpu().numpy()

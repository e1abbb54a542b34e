"""RP3β: three-step random walks on the interaction graph, corrected for popularity."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models import kernels
from recpair.models.sparse.item_weights import NeighbourModel, SparseScorer


class RP3Beta(NeighbourModel):
    """score(u, i) = d_i^−β Σ_{j ∈ H_u} Σ_v (d_u d_j d_v)^−α: walks from user u by item j and user v to item i.

    d are the degrees: numbers of items of a user, of users of an item. A step from node n to a neighbour has the
    probability 1/d_n, raised to the power α; β reduces the scores of popular items. Each item j keeps its k largest
    weights d_i^−β Σ_v (d_j d_v)^−α, that to itself included. The degree of an unknown user is the length of the history.

    Source: Paudel et al., Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications, TiiS
    2017. Deviation: k neighbours of each item, as in Dacrema et al., RecSys 2019, in place of sampled walks.

    Args:
        k: number of weights of each item.
        alpha: α; 1 is the random walk, values below 1 reduce the influence of the degrees.
        beta: β; 0 gives popular items their full score.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        k: Annotated[int, Field(gt=0)] = 100,
        alpha: Annotated[float, Field(ge=0, le=2)] = 0.6,
        beta: Annotated[float, Field(ge=0, le=2)] = 0.4,
    ) -> None:
        super().__init__(interactions, k)
        self.alpha, self.beta = alpha, beta

    def fit(self, interactions: Interactions) -> None:
        users = interactions.to_scipy()
        degrees = np.maximum(np.diff(users.indptr), 1).astype(np.float64)
        passed = users.copy()
        passed.data = np.repeat(degrees**-self.alpha, np.diff(users.indptr)).astype(np.float32)
        items = passed.T.tocsr()
        counts = np.maximum(np.diff(items.indptr), 1).astype(np.float64)
        tables = (items.indptr, items.indices, items.data, users.indptr, users.indices, users.data)
        norms = ((counts**exponent).astype(np.float32) for exponent in (self.alpha, self.beta))
        kernels.nearest(*tables, *norms, np.float32(0), True, self.neighbours.numpy(), self.weights.numpy())

    def scorer(self, histories: ItemLists) -> SparseScorer:
        """Return the scorer of histories."""
        lengths = np.maximum(np.diff(histories.indptr), 1).astype(np.float64)
        scale = torch.from_numpy((lengths**-self.alpha).astype(np.float32))
        return replace(super().scorer(histories), scale=scale)

    def contributions(
        self, history: np.ndarray, items: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of histories of one item, times d_u^−α of the whole history."""
        distinct, terms = super().contributions(history, items)
        return distinct, terms * np.float32(max(len(distinct), 1) ** -self.alpha)

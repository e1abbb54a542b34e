"""NeuMF: generalised matrix factorisation and a multilayer perceptron."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models.contract import GradientModel, Touched
from recpair.models.dropout import Dropout
from recpair.models.fold_in import ridge_fold_in
from recpair.models.layers import Embedding, Linear
from recpair.models.lookup import look_up
from recpair.seeds import generator

BLOCK = 2**22  # pairs whose hidden layers are in memory at a time when a whole catalogue is scored


class Tower(nn.Module):
    """Multilayer perceptron over (user, item); the first layer is split, so that each side is multiplied once."""

    def __init__(self, embedding_dim: int, layers: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.user_side = Linear(embedding_dim, layers[0])
        self.item_side = Linear(embedding_dim, layers[0], bias=False)
        rest: list[nn.Module] = [nn.LeakyReLU()]
        for wide, narrow in itertools.pairwise(layers):
            rest += [Dropout(dropout), Linear(wide, narrow), nn.LeakyReLU()]
        self.rest = nn.Sequential(*rest)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="leaky_relu", generator=generator())
        # each half of the first layer has half of its inputs, and so twice the variance of the whole
        with torch.no_grad():
            self.user_side.weight.mul_(0.5**0.5)
            self.item_side.weight.mul_(0.5**0.5)


@dataclass(frozen=True)
class NeuMFScorer:
    """score = ⟨w, [p_u ⊙ q_i ; tower(u, i)]⟩.

    Attributes:
        product_users, tower_users: embeddings of the queries (Q, D).
        product_items, tower_items: embeddings of the catalogue (I, D).
    """

    product_users: Float[Tensor, "Q D"]
    tower_users: Float[Tensor, "Q D"]
    product_items: Float[Tensor, "I D"]
    tower_items: Float[Tensor, "I D"]
    tower: Tower
    out: nn.Linear

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        hidden = self.tower.item_side(look_up(self.tower_items, items))
        return self._scores(look_up(self.product_items, items), hidden)

    def catalogue(self) -> Float[Tensor, "Q I"]:
        """Return all scores, computed in blocks of items."""
        hidden = self.tower.item_side(self.tower_items)
        step = max(1, BLOCK // max(1, len(self.product_users)) // 8)
        blocks = [
            self._scores(self.product_items[i : i + step].unsqueeze(0), hidden[i : i + step].unsqueeze(0))
            for i in range(0, len(hidden), step)
        ]
        return torch.cat(blocks, dim=1)

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        return self.catalogue().logsumexp(dim=1, keepdim=True)

    def _scores(self, product_items: Tensor, hidden_items: Tensor) -> Tensor:
        product = self.product_users.unsqueeze(1) * product_items
        hidden = self.tower.rest(self.tower.user_side(self.tower_users).unsqueeze(1) + hidden_items)
        scores: Tensor = self.out(torch.cat([product, hidden], dim=-1)).squeeze(-1)
        return scores


class NeuMF(GradientModel):
    """Neural matrix factorisation: generalised product and multilayer perceptron, joined at the last layer.

    Source: He et al., WWW 2017, section 3.4; layers 128-64-32, leaky ReLU and Kaiming initialisation as in PLD's code
    (WWW 2025), embeddings from N(0, 0.01²) as in the paper. Deviations: no pretraining; no final sigmoid (it is part of
    the loss).
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        layers: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1, max_length=100)] = [128, 64, 32],  # noqa: B006  (never changed)
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        init_std: Annotated[float, Field(gt=0)] = 0.01,
    ) -> None:
        super().__init__()
        sizes = interactions.n_users, interactions.n_items
        self.product_users, self.product_items = (Embedding(n, embedding_dim) for n in sizes)
        self.tower_users, self.tower_items = (Embedding(n, embedding_dim) for n in sizes)
        for embedding in self._embeddings():
            nn.init.normal_(embedding.weight, std=init_std, generator=generator())
        self.tower = Tower(embedding_dim, layers, dropout)
        self.out = Linear(embedding_dim + layers[-1], 1)

    def _embeddings(self) -> tuple[nn.Embedding, ...]:
        return self.product_users, self.product_items, self.tower_users, self.tower_items

    def score(self, batch: Batch) -> NeuMFScorer:
        product, tower = (look_up(table.weight, batch.user) for table in (self.product_users, self.tower_users))
        return self._scorer(product, tower)

    def _scorer(self, product: Tensor, tower: Tensor) -> NeuMFScorer:
        return NeuMFScorer(product, tower, self.product_items.weight, self.tower_items.weight, self.tower, self.out)

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        users = [(table.weight, batch.user) for table in (self.product_users, self.tower_users)]
        items = (batch.positives,) if batch.negatives is None else (batch.positives, batch.negatives)
        return *users, *((table.weight, i) for i in items for table in (self.product_items, self.tower_items))

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> NeuMFScorer:
        """Score unknown users by ridge solutions in both item spaces, at the scale of the trained users."""
        sides = [
            ridge_fold_in(items.weight, histories, users.weight.norm(dim=1).median())
            for users, items in ((self.product_users, self.product_items), (self.tower_users, self.tower_items))
        ]
        return self._scorer(*sides)

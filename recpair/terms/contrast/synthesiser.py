"""Synthesisers: how much each neighbour of a history counts in its synthesised positive."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from recpair.models.dropout import bernoulli_dropout
from recpair.models.layers import Linear
from recpair.seeds import generator


class Synthesiser(nn.Module, ABC):
    """Weights (A, K) over neighbours; of S, the length of semantic vectors, and D."""

    @abstractmethod
    def forward(
        self,
        anchors: Float[Tensor, "A _"],
        others: Float[Tensor, "H _"],
        neighbours: Int[Tensor, "A K"],
        known: Bool[Tensor, "A K"],
    ) -> Float[Tensor, "A K"]:
        """Weights from semantic vectors of the anchors and of the H distinct histories; 0 where nobody is known.

        Args:
            neighbours: which of the H histories each neighbour is.
            known: whether there is such a neighbour; there is one at least for every anchor.
        """


class Learned(Synthesiser):
    """softmax over v of LeakyReLU₀.₂(aᵀ[W s_u ; W s_v]), with dropout on the weights.

    Source: SRA-CL (Cui et al., NeurIPS 2025), section 3.2; initialised as graph attention is. a falls in two halves, so
    one number a history, sᵀ(Wᵀa), is all that pairs need: equal in value and gradient, W·s is never made. The
    dropout comes after the softmax, as in the authors' code, so the weights do not sum to one while training.
    """

    def __init__(self, semantic_dim: int, dim: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.projection = nn.Parameter(torch.empty(semantic_dim, dim))
        self.attention = nn.Parameter(torch.empty(2, dim))
        gain = nn.init.calculate_gain("leaky_relu", 0.2)
        nn.init.xavier_uniform_(self.projection, gain, generator=generator())
        nn.init.xavier_uniform_(self.attention, gain, generator=generator())

    def forward(self, anchors: Tensor, others: Tensor, neighbours: Tensor, known: Tensor) -> Tensor:
        of_anchor, of_other = (self.projection @ self.attention.T).unbind(1)
        logits = leaky_relu((anchors @ of_anchor).unsqueeze(1) + (others @ of_other)[neighbours], 0.2)
        return bernoulli_dropout(logits.masked_fill(~known, -torch.inf).softmax(1), self.rate, self.training)


class ScaledDot(Synthesiser):
    """softmax over v of (W_q s_u)·(W_k s_v) / √D: the order of the neighbours depends on the anchor, too."""

    def __init__(self, semantic_dim: int, dim: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.query = Linear(semantic_dim, dim, bias=False)
        self.key = Linear(semantic_dim, dim, bias=False)

    def forward(self, anchors: Tensor, others: Tensor, neighbours: Tensor, known: Tensor) -> Tensor:
        keys = self.key(others)[neighbours]
        logits = (self.query(anchors).unsqueeze(1) * keys).sum(2) / math.sqrt(keys.shape[2])
        return bernoulli_dropout(logits.masked_fill(~known, -torch.inf).softmax(1), self.rate, self.training)


class Mean(Synthesiser):
    """All neighbours alike; nothing is learnt."""

    def __init__(self, semantic_dim: int, dim: int, rate: float) -> None:
        super().__init__()

    def forward(self, anchors: Tensor, others: Tensor, neighbours: Tensor, known: Tensor) -> Tensor:
        weights = known.to(anchors.dtype)
        return weights / weights.sum(1, keepdim=True)


class Nearest(Synthesiser):
    """The nearest neighbour alone; nothing is learnt."""

    def __init__(self, semantic_dim: int, dim: int, rate: float) -> None:
        super().__init__()

    def forward(self, anchors: Tensor, others: Tensor, neighbours: Tensor, known: Tensor) -> Tensor:
        first = known.int().argmax(1, keepdim=True)
        return torch.zeros_like(known, dtype=anchors.dtype).scatter_(1, first, 1)


SYNTHESISERS: dict[str, type[Synthesiser]] = {
    "learned": Learned,
    "mean": Mean,
    "nearest": Nearest,
    "scaled_dot": ScaledDot,
}

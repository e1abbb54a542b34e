"""Synthesisers: weights of a history's neighbours in its synthesised positive."""

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
    """Weights (A, K) over neighbours; constructed with S, the length of semantic vectors, and D."""

    @abstractmethod
    def forward(
        self,
        anchors: Float[Tensor, "A _"],
        others: Float[Tensor, "H _"],
        neighbours: Int[Tensor, "A K"],
        known: Bool[Tensor, "A K"],
    ) -> Float[Tensor, "A K"]:
        """Return weights, given semantic vectors of the anchors and of the H distinct histories; 0 if not ``known``.

        Args:
            neighbours: index of each neighbour among the H histories.
            known: mask of existing neighbours, at least one per anchor.
        """


class Learned(Synthesiser):
    """softmax over v of LeakyReLU₀.₂(aᵀ[W s_u ; W s_v]), with dropout on the weights.

    Source: SRA-CL (Cui et al., NeurIPS 2025), section 3.2; initialised like graph attention. As a consists of two
    halves, a pair requires only one number per history, sᵀ(Wᵀa): equal in value and gradient, without computing W·s.
    Dropout follows the softmax, as in the authors' code, so the weights do not sum to one in training.
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
    """softmax over v of (W_q s_u)·(W_k s_v) / √D: the order of the neighbours also depends on the anchor."""

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
    """Equal weights for all neighbours; no parameters."""

    def __init__(self, semantic_dim: int, dim: int, rate: float) -> None:
        super().__init__()

    def forward(self, anchors: Tensor, others: Tensor, neighbours: Tensor, known: Tensor) -> Tensor:
        weights = known.to(anchors.dtype)
        return weights / weights.sum(1, keepdim=True)


class Nearest(Synthesiser):
    """The nearest neighbour alone; no parameters."""

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

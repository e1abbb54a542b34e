"""SASRec: a causal transformer over what somebody took before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, relu, scaled_dot_product_attention, silu

from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.models.contract import SequenceModel
from recpair.models.dropout import dropout
from recpair.models.layers import Embedding, Linear
from recpair.models.lookup import look_up
from recpair.models.scorer import Similarity
from recpair.seeds import generator, lent

Activation = Literal["gelu", "relu", "silu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"gelu": gelu, "relu": relu, "silu": silu}


@dataclass(frozen=True)
class Packing:
    """Which places of a batch of histories hold an item: all that is not attention works on those R alone.

    Attributes:
        real: whether a place holds an item.
        places: the R places among the H · T that do, or None where all do.
        mask: which place looks at which: itself, and items before it; None for plainly causal.
    """

    real: Bool[Tensor, "H T"]
    places: Int[Tensor, "R"] | None
    mask: Bool[Tensor, "H 1 T T"] | None

    @classmethod
    def of(cls, history: Int[Tensor, "H T"]) -> "Packing":
        real = history >= 0
        if bool(real.all()):
            return cls(real, None, None)
        t = history.shape[1]
        ones = torch.ones(t, t, dtype=torch.bool, device=history.device)
        # A place sees itself even where it is padding: attention to nothing would be 0/0.
        mask = (ones.tril() & real[:, None, None, :]) | ones.diag().diag()
        return cls(real, real.flatten().nonzero().squeeze(1), mask)

    def pack(self, padded: Float[Tensor, "H T _"]) -> Float[Tensor, "R _"]:
        flat = padded.flatten(0, 1)
        return flat if self.places is None else flat[self.places]

    def spread(self, packed: Float[Tensor, "R _"]) -> Float[Tensor, "H T _"]:
        """Zeros where there is no item."""
        if self.places is None:
            return packed.view(*self.real.shape, -1)
        empty = packed.new_zeros(self.real.numel(), packed.shape[1])
        return empty.index_copy(0, self.places, packed).view(*self.real.shape, -1)

    def last(self, packed: Float[Tensor, "R _"]) -> Float[Tensor, "H _"]:
        """What stands at the last place of each history; anything where it has no item."""
        return packed[(self.real.sum(1).cumsum(0) - 1).clamp_min(0)]

    def seen_from_the_last(self) -> Bool[Tensor, "H 1 1 T"] | None:
        """Which places the last one looks at: all with an item, and itself; None for all."""
        if self.places is None:
            return None
        seen = self.real.clone()
        seen[:, -1] = True  # attention to nothing would be 0/0
        return seen[:, None, None, :]


class Attention(nn.Module):
    """Causal self-attention of several heads, by the fused kernel where the device has one."""

    def __init__(self, dim: int, n_heads: int, rate: float) -> None:
        super().__init__()
        self.n_heads, self.rate = n_heads, rate
        self.queries_keys_values = Linear(dim, 3 * dim)
        self.out = Linear(dim, dim)

    def forward(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "R D"]:
        queries, keys, values = self._heads(packing.spread(self.queries_keys_values(x)))
        mixed = self._mixed(queries, keys, values, packing.mask)
        out: Tensor = self.out(packing.pack(mixed.transpose(1, 2).flatten(2)))
        return out

    def last(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "H D"]:
        """For the last places alone: all others are only looked at."""
        dim, weight, bias = x.shape[1], self.queries_keys_values.weight, self.queries_keys_values.bias
        (queries,) = self._heads(linear(packing.last(x), weight[:dim], bias[:dim]).unsqueeze(1))
        keys, values = self._heads(packing.spread(linear(x, weight[dim:], bias[dim:])))
        out: Tensor = self.out(self._mixed(queries, keys, values, packing.seen_from_the_last()).flatten(1))
        return out

    def _heads(self, stacked: Float[Tensor, "H T _"]) -> tuple[Tensor, ...]:
        """Each of the stacked projections (H, T, D) by head: (H, heads, T, D / heads)."""
        dim = self.out.in_features
        parts: tuple[Tensor, ...] = stacked.unflatten(2, (-1, self.n_heads, dim // self.n_heads)).permute(2, 0, 3, 1, 4)
        return tuple(parts)

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Values by attention; without a mask a place looks at itself and what is before it, the last query being last."""
        causal = mask is None and queries.shape[-2] > 1
        if not (self.training and self.rate):
            return scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)
        if queries.device.type == "cuda":
            with lent(queries.device):
                return scaled_dot_product_attention(queries, keys, values, mask, self.rate, causal)
        # Fused kernels of other devices have no dropout of weights, or draw it from torch's process-wide generator.
        scores = (queries @ keys.transpose(-2, -1)).div_(queries.shape[-1] ** 0.5)
        if causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return dropout(scores.softmax(-1), self.rate, True) @ values


class Block(nn.Module):
    """Attention, then two linear layers, each added to its input, normalised before (pre) or after (post)."""

    def __init__(
        self, dim: int, n_heads: int, inner_dim: int, rate: float, activation: Activation, pre: bool, epsilon: float
    ) -> None:
        super().__init__()
        self.pre, self.rate, self.activation = pre, rate, ACTIVATIONS[activation]
        self.attention = Attention(dim, n_heads, rate)
        self.attention_norm = nn.LayerNorm(dim, eps=epsilon)
        self.inner, self.outer = Linear(dim, inner_dim), Linear(inner_dim, dim)
        self.feed_forward_norm = nn.LayerNorm(dim, eps=epsilon)

    def forward(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "R D"]:
        return self._added(x, self.attention(self.attention_norm(x) if self.pre else x, packing))

    def last(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "H D"]:
        """For the last places alone."""
        attended = self.attention.last(self.attention_norm(x) if self.pre else x, packing)
        return self._added(packing.last(x), attended)

    def _added(self, x: Tensor, attended: Tensor) -> Tensor:
        """Attention, then the linear layers, added to what stands at the places that they are of."""
        x = x + self._dropped(attended)
        if self.pre:
            return x + self._dropped(self._feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x)
        normed: Tensor = self.feed_forward_norm(x + self._dropped(self._feed_forward(x)))
        return normed

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.outer(self.activation(self.inner(x)))
        return out

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.rate, self.training)


class SASRec(SequenceModel):
    """score(h, i) = ⟨z_h, e_i⟩, z_h the last place of a causal transformer over the embeddings e of the history.

    Source: Kang & McAuley, ICDM 2018. ``norm: post`` is the transformer of BERT, which RecBole and SRA-CL
    (NeurIPS 2025) use: embeddings are normalised, then each sum. ``norm: pre`` normalises what goes into a layer,
    and the result. Deviations: the learned positions count from the end, so that a batch is as long as its longest
    history and no longer; padding is computed in attention only. A history without items has the vector 0.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        history_length: Annotated[int, Field(gt=0)] = 50,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        n_layers: Annotated[int, Field(gt=0, le=100)] = 2,
        n_heads: Annotated[int, Field(gt=0)] = 2,
        inner_dim: Annotated[int, Field(gt=0)] = 256,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        activation: Activation = "gelu",
        norm: Literal["pre", "post"] = "pre",
        norm_epsilon: Annotated[float, Field(gt=0)] = 1e-12,
        init_std: Annotated[float, Field(gt=0)] = 0.02,
        similarity: Similarity = "dot",
    ) -> None:
        """
        Raises:
            ConfigError: the heads do not divide the vector.
        """
        if embedding_dim % n_heads:
            raise ConfigError(
                f"model.embedding_dim is {embedding_dim}, which {n_heads} heads cannot share; "
                f"choose a multiple of model.n_heads"
            )
        super().__init__()
        self.history_length, self.similarity = history_length, similarity
        self.rate, self.pre = dropout, norm == "pre"
        self.item_embedding = Embedding(interactions.n_items, embedding_dim)
        self.position_embedding = Embedding(history_length, embedding_dim)  # the last row is the latest item's
        self.norm = nn.LayerNorm(embedding_dim, eps=norm_epsilon)
        self.blocks = nn.ModuleList(
            Block(embedding_dim, n_heads, inner_dim, dropout, activation, self.pre, norm_epsilon)
            for _ in range(n_layers)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=init_std, generator=generator())
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H T D"]:
        packing = Packing.of(history)
        x = self._embedded(history, packing)
        for block in self.blocks:
            x = block(x, packing)
        return packing.spread(self.norm(x) if self.pre else x)

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        """The last block computes one place a history: with two blocks, two fifths less."""
        packing = Packing.of(history)
        x = self._embedded(history, packing)
        if len(x) == 0:  # nobody has an item
            return packing.spread(x)[:, -1]
        *blocks, top = self.blocks
        assert isinstance(top, Block)
        for block in blocks:
            x = block(x, packing)
        x = top.last(x, packing)
        return (self.norm(x) if self.pre else x).masked_fill(~packing.real[:, -1:], 0.0)

    def _embedded(self, history: Int[Tensor, "H T"], packing: Packing) -> Float[Tensor, "R D"]:
        positions = self.position_embedding.weight[-history.shape[1] :].expand(len(history), -1, -1)
        items = history[packing.real]
        x = look_up(self.item_embedding.weight, items) + packing.pack(positions)
        return dropout(x if self.pre else self.norm(x), self.rate, self.training)

    def item_vectors(self) -> Float[Tensor, "I D"]:
        return self.item_embedding.weight

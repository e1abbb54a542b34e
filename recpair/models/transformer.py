"""Blocks of a causal transformer over histories, computed at the positions that hold an item only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, relu, scaled_dot_product_attention, silu

from recpair.models.dropout import dropout
from recpair.models.layers import Linear
from recpair.seeds import lent

Activation = Literal["gelu", "relu", "silu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"gelu": gelu, "relu": relu, "silu": silu}


@dataclass(frozen=True)
class Packing:
    """Positions of a batch of histories that hold an item; all layers but attention operate on these R positions only.

    Attributes:
        real: True where a position holds an item.
        places: indices of the R positions among the H · T, or None if all positions hold an item.
        mask: attention mask: a position attends to itself and to items before it; None for a plain causal mask.
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
        # A padding position attends to itself: attention over nothing would be 0/0.
        mask = (ones.tril() & real[:, None, None, :]) | ones.diag().diag()
        return cls(real, real.flatten().nonzero().squeeze(1), mask)

    def pack(self, padded: Float[Tensor, "H T _"]) -> Float[Tensor, "R _"]:
        flat = padded.flatten(0, 1)
        return flat if self.places is None else flat[self.places]

    def spread(self, packed: Float[Tensor, "R _"]) -> Float[Tensor, "H T _"]:
        """Return to shape (H, T, _), with zeros at positions without an item."""
        if self.places is None:
            return packed.view(*self.real.shape, -1)
        empty = packed.new_zeros(self.real.numel(), packed.shape[1])
        return empty.index_copy(0, self.places, packed).view(*self.real.shape, -1)

    def last(self, packed: Float[Tensor, "R _"]) -> Float[Tensor, "H _"]:
        """Return the last position of each history; arbitrary values for an empty history."""
        return packed[(self.real.sum(1).cumsum(0) - 1).clamp_min(0)]

    def seen_from_the_last(self) -> Bool[Tensor, "H 1 1 T"] | None:
        """Return the attention mask of the last position: all items, and itself; None for all positions."""
        if self.places is None:
            return None
        seen = self.real.clone()
        seen[:, -1] = True  # attention over nothing would be 0/0
        return seen[:, None, None, :]


class Attention(nn.Module):
    """Causal multi-head self-attention, with the fused kernel if the device has one."""

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
        """Compute the last positions only; all others serve as keys and values."""
        dim, weight, bias = x.shape[1], self.queries_keys_values.weight, self.queries_keys_values.bias
        (queries,) = self._heads(linear(packing.last(x), weight[:dim], bias[:dim]).unsqueeze(1))
        keys, values = self._heads(packing.spread(linear(x, weight[dim:], bias[dim:])))
        out: Tensor = self.out(self._mixed(queries, keys, values, packing.seen_from_the_last()).flatten(1))
        return out

    def _heads(self, stacked: Float[Tensor, "H T _"]) -> tuple[Tensor, ...]:
        """Split the stacked projections (H, T, D) into heads, each (H, heads, T, D / heads)."""
        dim = self.out.in_features
        parts: tuple[Tensor, ...] = stacked.unflatten(2, (-1, self.n_heads, dim // self.n_heads)).permute(2, 0, 3, 1, 4)
        return tuple(parts)

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Apply attention to the values; without a mask it is causal, and the last query is at the last position."""
        causal = mask is None and queries.shape[-2] > 1
        if not (self.training and self.rate):
            return scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=causal)
        if queries.device.type == "cuda":
            with lent(queries.device):
                return scaled_dot_product_attention(queries, keys, values, mask, self.rate, causal)
        # Fused kernels of other devices have no attention dropout, or draw it from torch's process-wide generator.
        scores = (queries @ keys.transpose(-2, -1)).div_(queries.shape[-1] ** 0.5)
        if causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return dropout(scores.softmax(-1), self.rate, True) @ values


class Block(nn.Module):
    """Attention and two linear layers with residual connections, normalised before (pre) or after (post)."""

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
        """Compute the last positions only."""
        attended = self.attention.last(self.attention_norm(x) if self.pre else x, packing)
        return self._added(packing.last(x), attended)

    def _added(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the attention output, then the feed-forward output, to the input."""
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

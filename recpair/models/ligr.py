"""Gated pre-norm block of LiGR."""

from jaxtyping import Float
from torch import Tensor, nn

from recpair.models.dropout import dropout
from recpair.models.layers import Linear
from recpair.models.transformer import ACTIVATIONS, Activation, Attention, Packing


class GatedBlock(nn.Module):
    """x ← x + σ(G x + g) ⊙ F(LayerNorm(x)), first with causal attention as F, then with a gated feed-forward layer.

    The feed-forward layer is A₃(act(A₁ x) ⊙ A₂ x) with ``inner_dim`` inner units, SwiGLU for the activation silu. Gates
    G x + g read the input of the residual connection before its normalisation, one gate per component. Source of the
    gates: Borisyuk et al., "From Features to Transformers", 2025 (LiGR). The form used here: all linear layers have a
    bias, and dropout follows the gate.
    """

    def __init__(
        self, dim: int, n_heads: int, inner_dim: int, rate: float, activation: Activation, epsilon: float
    ) -> None:
        super().__init__()
        self.rate, self.activation = rate, ACTIVATIONS[activation]
        self.attention = Attention(dim, n_heads, rate)
        self.attention_norm = nn.LayerNorm(dim, eps=epsilon)
        self.attention_gate = Linear(dim, dim)
        self.inner, self.outer = Linear(dim, 2 * inner_dim), Linear(inner_dim, dim)  # A₁ and A₂ stacked, and A₃
        self.feed_forward_norm = nn.LayerNorm(dim, eps=epsilon)
        self.feed_forward_gate = Linear(dim, dim)

    def forward(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "R D"]:
        return self._added(x, self.attention(self.attention_norm(x), packing))

    def last(self, x: Float[Tensor, "R D"], packing: Packing) -> Float[Tensor, "H D"]:
        """Compute the last positions only."""
        return self._added(packing.last(x), self.attention.last(self.attention_norm(x), packing))

    def _added(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add the gated attention output, then the gated feed-forward output, to the input."""
        x = x + self._dropped(self.attention_gate(x).sigmoid() * attended)
        return x + self._dropped(self.feed_forward_gate(x).sigmoid() * self._feed_forward(self.feed_forward_norm(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        active, passed = self.inner(x).chunk(2, dim=1)
        out: Tensor = self.outer(self.activation(active) * passed)
        return out

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.rate, self.training)

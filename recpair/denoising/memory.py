"""What training remembers of each of its interactions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Memory(nn.Module):
    """Sums over the visits of each training interaction: losses, their squares, how often drawn, how much chosen.

    Kept in buffers of one float an event, so that checkpoints hold them and a resumed run agrees.
    """

    sums: Tensor
    squares: Tensor
    drawn: Tensor
    chosen: Tensor

    def __init__(self, n_events: int) -> None:
        super().__init__()
        for name in ("sums", "squares", "drawn", "chosen"):
            self.register_buffer(name, torch.zeros(n_events))

    @torch.no_grad()
    def record(
        self,
        rows: Int[Tensor, "Q P"],
        losses: Float[Tensor, "Q P"],
        chosen: Int[Tensor, "Q S"],
        weights: Float[Tensor, "Q S"] | None,
    ) -> None:
        """Add a batch: the losses (nats) of all candidates, and the weights with which some were trained on."""
        drawn, values = rows.flatten(), losses.flatten().to(self.sums.dtype)
        self.sums.index_add_(0, drawn, values)
        self.squares.index_add_(0, drawn, values.square())
        self.drawn.index_add_(0, drawn, torch.ones_like(values))
        counted = torch.ones_like(chosen, dtype=self.chosen.dtype) if weights is None else weights.to(self.chosen.dtype)
        self.chosen.index_add_(0, chosen.flatten(), counted.flatten())

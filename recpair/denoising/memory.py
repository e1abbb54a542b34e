"""Statistics that training records per interaction."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Memory(nn.Module):
    """Sums over the visits of each training interaction.

    Attributes:
        kept: (E, 4): sum of the losses (nats), sum of their squares, number of visits as a candidate, and number of
            visits trained on (or their total weight). A buffer, so that checkpoints include it and a resumed run gives
            the same result; the values of an event are adjacent, as a step accesses scattered events.
    """

    kept: Tensor

    def __init__(self, n_events: int) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(n_events, 4))

    @torch.no_grad()
    def record(
        self,
        rows: Int[Tensor, "Q P"],
        losses: Float[Tensor, "Q P"],
        columns: Int[Tensor, "Q S"],
        weights: Float[Tensor, "Q S"] | None,
    ) -> None:
        """Add a batch: the losses (nats) of all candidates, and the weights of the columns trained on."""
        values = losses.to(self.kept.dtype)
        counted = torch.ones_like(values[:, :1]).expand_as(columns) if weights is None else weights.to(values.dtype)
        chosen = torch.zeros_like(values).scatter_add_(1, columns, counted)
        visits = torch.stack([values, values.square(), torch.ones_like(values), chosen], dim=-1)
        self.kept.index_add_(0, rows.flatten(), visits.flatten(0, 1))

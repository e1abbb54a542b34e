"""DBPM: down-weight pairs with an unusually small or large mean loss."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from recpair.denoising.contract import Choice, Pool


class DBPM(nn.Module):
    """Down-weights pairs with a mean loss m below μ − βσ (noisy) or above μ + βσ (faulty), μ and σ over all pairs.

    The weight of such a pair is exp(−(m − μ)² / (2σ²)); other pairs have weight 1.

    Source: Lan et al., Dynamic Bad Pair Mining (2023), proposed for contrastive pairs. Deviation: the same
    Gaussian weight of the running mean for both kinds.
    """

    sums: Tensor
    visits: Tensor

    def __init__(
        self,
        n_events: int = 0,
        *,
        beta: Annotated[float, Field(gt=0)] = 2.0,
        start_epoch: Annotated[int, Field(ge=0)] = 3,
    ) -> None:
        super().__init__()
        self.candidates = 1
        self.start_epoch = start_epoch
        self.beta = beta
        self.register_buffer("sums", torch.zeros(n_events))
        self.register_buffer("visits", torch.zeros(n_events))

    def choose(self, pool: Pool) -> Choice:
        rows = pool.rows.flatten()
        self.sums.index_add_(0, rows, pool.losses.flatten().to(self.sums.dtype))
        self.visits.index_add_(0, rows, torch.ones_like(rows, dtype=self.visits.dtype))
        known = self.visits > 0
        means = self.sums[known] / self.visits[known]
        centre, spread = means.mean(), means.std(correction=0).clamp_min(1e-12)
        z = ((self.sums[rows] / self.visits[rows] - centre) / spread).view_as(pool.losses)
        weights = torch.where(z.abs() > self.beta, torch.exp(-z.square() / 2), torch.ones_like(z))
        return Choice(torch.zeros_like(pool.rows), weights, stats={"mean_weight": weights.mean()})

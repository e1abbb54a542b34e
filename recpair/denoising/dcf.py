"""DCF: drop and relabel interactions by the lower bound of their damped loss over several epochs."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from recpair.denoising.contract import Choice, Pool
from recpair.denoising.t_ce import without_largest


class DCF(nn.Module):
    """Drops the positives with the largest lower confidence bounds of the damped loss; relabels the very largest.

    The loss l is damped to log(1 + l + l²/2) and averaged over the n visits so far; its bound is
    mean − σ²(n + σ² log(2n) / n²) / (n + 1 − σ²). In each batch, the share ``drop_rate`` (growing as in T-CE) with
    the largest bounds gets weight 0. If the loss is a sum over positives and negatives, the share ``relabel_rate``
    of the batch with the largest bounds is trained as negatives.

    Source: He et al., Double Correction Framework (KDD 2024); the bound is from Xia et al. (ICLR 2022).
    Deviations: the mean is over all visits since the start, not a window of epochs; relabelling requires BCE.
    """

    sums: Tensor
    visits: Tensor

    def __init__(
        self,
        n_events: int = 0,
        *,
        drop_rate: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        relabel_rate: Annotated[float, Field(ge=0, lt=1)] = 0.01,
        variance: Annotated[float, Field(ge=0, lt=1)] = 0.01,
        grow_epochs: Annotated[int, Field(gt=0)] = 5,
        start_epoch: Annotated[int, Field(ge=0)] = 1,
    ) -> None:
        super().__init__()
        self.candidates = 1
        self.start_epoch = start_epoch
        self.drop_rate, self.relabel_rate = drop_rate, relabel_rate
        self.variance, self.grow_epochs = variance, grow_epochs
        self.register_buffer("sums", torch.zeros(n_events))
        self.register_buffer("visits", torch.zeros(n_events))

    def choose(self, pool: Pool) -> Choice:
        rows = pool.rows.flatten()
        damped = torch.log1p(pool.losses + pool.losses.square() / 2).flatten()
        self.sums.index_add_(0, rows, damped.to(self.sums.dtype))
        self.visits.index_add_(0, rows, torch.ones_like(damped, dtype=self.visits.dtype))
        n = self.visits[rows]
        uncertainty = self.variance * (n + self.variance * torch.log(2 * n) / n.square()) / (n + 1 - self.variance)
        bound = torch.relu(self.sums[rows] / n - uncertainty).view_as(pool.losses)
        grown = min(1.0, (pool.epoch - self.start_epoch) / self.grow_epochs)
        weights = without_largest(bound, int(self.drop_rate * grown * bound.numel()))
        relabelled = None
        if pool.negative_losses is not None and self.relabel_rate > 0:
            relabelled = without_largest(bound, int(self.relabel_rate * grown * bound.numel())) == 0
            weights = torch.where(relabelled, torch.ones_like(weights), weights)
        stats = {"dropped_share": 1 - weights.mean()}
        return Choice(torch.zeros_like(pool.rows), weights, relabelled=relabelled, stats=stats)

"""DCF: judge an interaction by the lower bound of its damped loss over several epochs."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from recpair.denoising.contract import Choice, Pool
from recpair.denoising.t_ce import without_largest


class DCF(nn.Module):
    """Drops the positives whose damped loss stays large even at its lower confidence bound; relabels the very largest.

    The loss l is damped to log(1 + l + l²/2) and averaged over the visits so far, n of them; its bound is
    mean − σ²(n + σ² log(2n) / n²) / (n + 1 − σ²). Of a batch the share ``drop_rate`` (growing as T-CE's) with the
    largest bounds gets weight 0; of those the largest ``relabel_rate`` of the batch train as negatives, where the
    loss is a sum over positives and negatives.

    Source: He et al., Double Correction Framework (KDD 2024); the bound is Xia et al.'s (ICLR 2022).
    Deviations: the mean is over all visits since the start, not a window of epochs; relabelling asks for BCE.
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

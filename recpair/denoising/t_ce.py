"""T-CE: drop the positives with the largest losses of the batch."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.denoising.contract import Choice, Pool


class TCE:
    """Assigns weight 0 to the positives with the largest losses; the share of dropped samples grows to ``drop_rate``.

    Source: Wang et al., WSDM 2021 (truncated loss). If the loss is a sum over positives and negatives, the share
    is of all samples of the batch, as in the authors' code; if it is pairwise (BPR), of the positives.
    Deviation: the share grows with the epoch, not the step, so that a resumed run gives the same result.
    """

    def __init__(
        self,
        n_events: int = 0,
        *,
        drop_rate: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        grow_epochs: Annotated[int, Field(gt=0)] = 5,
        start_epoch: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.candidates = 1
        self.drop_rate = drop_rate
        self.grow_epochs = grow_epochs
        self.start_epoch = start_epoch

    def rate(self, epoch: int) -> float:
        """Share of samples dropped in the given epoch (from 1)."""
        return self.drop_rate * min(1.0, (epoch - self.start_epoch) / self.grow_epochs)

    def choose(self, pool: Pool) -> Choice:
        samples = pool.losses.numel() + (0 if pool.negative_losses is None else pool.negative_losses.numel())
        dropped = samples - int((1 - self.rate(pool.epoch)) * samples)
        weights = without_largest(pool.losses, dropped)
        return Choice(torch.zeros_like(pool.rows), weights, stats={"dropped_share": 1 - weights.mean()})


def without_largest(values: Float[Tensor, "Q P"], n: int) -> Float[Tensor, "Q P"]:
    """Return ones, with zeros at the n largest values (at most all of them)."""
    weights = torch.ones_like(values)
    weights.view(-1)[values.flatten().topk(min(n, values.numel())).indices] = 0.0
    return weights

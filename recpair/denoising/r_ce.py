"""R-CE: weight samples by their predicted probability."""

from typing import Annotated

import torch
from pydantic import Field

from recpair.denoising.contract import Choice, Pool


class RCE:
    """Weights a positive by σ(s)^α and a negative by (1 − σ(s))^α, without gradient.

    Source: Wang et al., WSDM 2021 (reweighted loss). Both weights are e^(−α·loss) of the cross entropy of the
    sample; the same formula with the BPR loss, σ(s⁺ − s⁻)^α, is the pairwise counterpart.
    """

    def __init__(
        self,
        n_events: int = 0,
        *,
        alpha: Annotated[float, Field(ge=0)] = 0.25,
        start_epoch: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.candidates = 1
        self.alpha = alpha
        self.start_epoch = start_epoch

    def choose(self, pool: Pool) -> Choice:
        weights = torch.exp(-self.alpha * pool.losses)
        negatives = None if pool.negative_losses is None else torch.exp(-self.alpha * pool.negative_losses)
        columns = torch.zeros_like(pool.rows)
        return Choice(columns, weights, negatives, stats={"mean_weight": weights.mean()})

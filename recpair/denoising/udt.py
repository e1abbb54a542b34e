"""UDT: weight each user's positives by the loss distribution of that user."""

from typing import Annotated

import torch
from pydantic import Field

from recpair.denoising.contract import Choice, Pool


class UDT:
    """Trains on the whole pool, each candidate weighted by softmax(−loss / τ): the expectation of PLD's draw.

    Source: the reweighting baseline of the denoising study of RecSys 2025. The weights of a pool of P sum
    to P, so that the loss has the same scale as in plain training.
    """

    def __init__(
        self,
        n_events: int = 0,
        *,
        candidates: Annotated[int, Field(gt=0)] = 5,
        temperature: Annotated[float, Field(gt=0)] = 0.5,
        start_epoch: Annotated[int, Field(ge=0)] = 5,
    ) -> None:
        self.candidates = candidates
        self.temperature = temperature
        self.start_epoch = start_epoch

    def choose(self, pool: Pool) -> Choice:
        p = torch.softmax(-pool.losses / self.temperature, dim=1)
        columns = torch.arange(p.shape[1], device=p.device).expand_as(p)
        return Choice(columns, weights=p * p.shape[1], stats={"pool_effective_size": (1.0 / p.square().sum(1)).mean()})

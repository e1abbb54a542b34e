"""PLD: resample each user's positives by the loss distribution of that user."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.denoising.contract import Choice, Pool
from recpair.seeds import generator


class PLD:
    """Keeps one candidate of each pool, drawn with probability softmax(−loss / τ).

    Source: Zhang et al., Personalized Denoising Implicit Feedback (WWW 2025, arXiv 2502.00348),
    section 4. The draw is argmax(−loss/τ + Gumbel noise), which has the same distribution. Deviations:
    the pool is scored in the forward pass of the training step if the model has no dropout; with
    BCE the negatives' part, shared by all candidates of a query, is omitted (it has no effect);
    ``final_temperature`` anneals τ geometrically over ``anneal_epochs`` after the start (off by default).

    A lower temperature relies more on the loss. Below (σ₁² − σ₀²) / (2(μ₁ − μ₀)) of the noisy and
    normal losses a larger pool draws *more* noise, so prefer 5 to 10 candidates and 0.05 to 0.3.
    """

    def __init__(
        self,
        n_events: int = 0,
        *,
        candidates: Annotated[int, Field(gt=0)] = 5,
        temperature: Annotated[float, Field(gt=0)] = 0.1,
        start_epoch: Annotated[int, Field(ge=0)] = 5,
        final_temperature: Annotated[float, Field(gt=0)] | None = None,
        anneal_epochs: Annotated[int, Field(gt=0)] = 50,
    ) -> None:
        self.candidates = candidates
        self.temperature = temperature
        self.start_epoch = start_epoch
        self.final_temperature = final_temperature
        self.anneal_epochs = anneal_epochs

    def temperature_at(self, epoch: int) -> float:
        """τ in the given epoch (from 1)."""
        if self.final_temperature is None:
            return self.temperature
        way = min(1.0, max(0, epoch - self.start_epoch - 1) / self.anneal_epochs)
        return float(self.temperature ** (1 - way) * self.final_temperature**way)

    def log_probabilities(self, losses: Float[Tensor, "Q P"], epoch: int = 1) -> Float[Tensor, "Q P"]:
        """Log-probability of drawing each candidate."""
        return torch.log_softmax(-losses / self.temperature_at(epoch), dim=1)

    def choose(self, pool: Pool) -> Choice:
        log_p = self.log_probabilities(pool.losses, pool.epoch)
        # An exponential variate is never zero, so the Gumbel noise −log(e) is always finite.
        drawn = torch.empty_like(log_p).exponential_(generator=generator(log_p.device))
        gumbel = -drawn.clamp_min_(torch.finfo(log_p.dtype).tiny).log_()
        columns = (log_p + gumbel).argmax(dim=1, keepdim=True)
        p = log_p.exp()
        stats = {
            "pool_entropy": -(p * log_p.clamp_min(-1e4)).sum(1).mean(),
            "pool_effective_size": (1.0 / p.square().sum(1)).mean(),
        }
        return Choice(columns=columns, stats=stats)

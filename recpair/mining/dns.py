"""DNS: dynamic negative sampling."""

from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from recpair.seeds import generator


class DNS:
    """Selects the best-scored of M candidates, or one drawn with probability softmax(score / τ).

    Source: Zhang et al., SIGIR 2013. With ``temperature`` the candidate is drawn (argmax of score/τ + Gumbel
    noise), which selects unlabelled positives less often; τ → 0 is the best-scored one, τ → ∞ uniform. A random
    ``share`` of the negatives is mined; the others stay uniform.
    """

    def __init__(
        self,
        *,
        candidates: Annotated[int, Field(gt=0)] = 8,
        temperature: Annotated[float, Field(gt=0)] | None = None,
        share: Annotated[float, Field(ge=0, le=1)] = 1.0,
    ) -> None:
        self.candidates = candidates
        self.temperature = temperature
        self.share = share

    def choose(self, scores: Float[Tensor, "Q C"]) -> Int[Tensor, "Q N"]:
        grouped = scores.unflatten(1, (-1, self.candidates))
        if self.temperature is not None:
            drawn = torch.empty_like(grouped).exponential_(generator=generator(grouped.device))
            gumbel = -drawn.clamp_min_(torch.finfo(grouped.dtype).tiny).log_()
            grouped = grouped / self.temperature + gumbel
        best = grouped.argmax(-1)
        if self.share < 1:
            drawn = torch.rand(best.shape, dtype=torch.float32, device=best.device, generator=generator(best.device))
            best = torch.where(drawn < self.share, best, torch.zeros_like(best))
        first = torch.arange(grouped.shape[1], device=best.device) * self.candidates
        columns: Tensor = first + best
        return columns

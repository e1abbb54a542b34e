"""Generalised binary cross entropy: BCE without the overconfidence that sampled negatives cause."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus


def gbce(
    pos: Float[Tensor, "Q P"],
    neg: Float[Tensor, "Q N"],
    n_items: int = 2,
    *,
    calibration: Annotated[float, Field(ge=0, le=1)] = 0.75,
) -> Float[Tensor, "Q P"]:
    """−β·log σ(s⁺) − Σ log(1 − σ(s⁻)), in nats; β = α((1 − 1/α)t + 1/α), α = N / (I − 1).

    Source: Petrov & Macdonald, gSASRec (RecSys 2023), equations 9 and 12. t = 0 is BCE, t = 1 gives β = α.
    ``n_items`` is I, which recpair supplies; without negatives (N = 0) β is 1.
    """
    positive = beta(neg.shape[1], n_items, calibration) * softplus(-pos)
    return positive + softplus(neg).sum(-1, keepdim=True)


def beta(n_negatives: int, n_items: int, calibration: float) -> float:
    """The power of the positive's probability."""
    rate = n_negatives / max(n_items - 1, 1)
    return rate * ((1 - 1 / rate) * calibration + 1 / rate) if rate else 1.0

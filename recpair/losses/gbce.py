"""Generalised binary cross entropy: BCE without the overconfidence caused by sampled negatives."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from recpair.losses.bce import negative
from recpair.losses.contract import pointwise


@pointwise(negative)
def gbce(
    s: Float[Tensor, "Q P"],
    n_items: int = 2,
    n_negatives: int = 1,
    *,
    calibration: Annotated[float, Field(ge=0, le=1)] = 0.75,
) -> Float[Tensor, "Q P"]:
    """−β·log σ(s⁺) − Σ log(1 − σ(s⁻)), in nats; β = α((1 − 1/α)t + 1/α), α = N / (I − 1).

    Source: Petrov & Macdonald, gSASRec (RecSys 2023), equations 9 and 12. t = 0 is BCE, t = 1 gives β = α.
    ``n_items`` is I; without negatives (N = 0) β is 1.
    """
    return beta(n_negatives, n_items, calibration) * softplus(-s)


def beta(n_negatives: int, n_items: int, calibration: float) -> float:
    """β, the exponent of the positive's probability."""
    rate = n_negatives / max(n_items - 1, 1)
    return rate * ((1 - 1 / rate) * calibration + 1 / rate) if rate else 1.0

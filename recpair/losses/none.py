"""Zero loss: only the terms are trained."""

from jaxtyping import Float
from torch import Tensor


def none(pos: Float[Tensor, "Q P"]) -> Float[Tensor, ""]:
    """Return 0 nats for all scores: for models trained by a term such as ``direct_au`` alone."""
    return pos.sum() * 0

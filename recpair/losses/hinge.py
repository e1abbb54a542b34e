"""Pairwise hinge loss."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu


def hinge(
    pos: Float[Tensor, "Q P"],
    neg: Float[Tensor, "Q N"],
    *,
    margin: Annotated[float, Field(gt=0)] = 1.0,
) -> Float[Tensor, "Q P"]:
    """max(0, margin − (s⁺ − s⁻)), averaged over the negatives, in units of score.

    Source: Weimer et al., COFI RANK (NIPS 2007); the mean over N makes the scale independent of N.
    """
    return relu(margin - (pos.unsqueeze(2) - neg.unsqueeze(1))).mean(-1)

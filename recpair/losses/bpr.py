"""Bayesian personalised ranking."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def bpr(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺ − s⁻), averaged over the negatives, in nats.

    Source: Rendle et al., UAI 2009, equation 4. Written as softplus(s⁻ − s⁺), so that the worst
    pairs keep their gradient; the mean over N keeps the scale when negatives are added.
    """
    return softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)

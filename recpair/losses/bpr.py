"""Bayesian personalised ranking."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def bpr(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺ − s⁻), averaged over the negatives, in nats.

    Source: Rendle et al., UAI 2009, equation 4. Computed as softplus(s⁻ − s⁺), so that the
    gradient of the worst pairs does not vanish; the mean over N makes the scale independent of N.
    """
    return softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)

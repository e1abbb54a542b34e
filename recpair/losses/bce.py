"""Binary cross entropy of one positive against its negatives."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from recpair.losses.contract import pointwise


def negative(s: Float[Tensor, "Q N"]) -> Float[Tensor, "Q N"]:
    """−log(1 − σ(s)) of each negative, in nats."""
    return softplus(s)


@pointwise(negative)
def bce(s: Float[Tensor, "Q P"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺) − Σ log(1 − σ(s⁻)), summed over the negatives, in nats.

    Source: He et al., NeuMF (WWW 2017), equation 7. The negatives' part is the same for all
    candidates of a query, so it does not affect the draw of PLD.
    """
    return softplus(-s)

"""Binary cross entropy of one positive against its negatives."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def bce(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺) − Σ log(1 − σ(s⁻)), summed over the negatives, in nats.

    Source: He et al., NeuMF (WWW 2017), equation 7. The negatives' part is shared by the candidates
    of a query, so it does not change which of them PLD prefers.
    """
    return softplus(-pos) + softplus(neg).sum(-1, keepdim=True)

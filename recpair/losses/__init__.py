"""Losses: ``loss(pos (Q, P), neg (Q, N)) -> (Q, P)``, unreduced, in nats.

Column p of the result depends on ``pos[:, p]`` alone, so the training loss called with P
candidates is the per-candidate loss that a denoiser looks at.
"""

from collections.abc import Callable

from torch import Tensor

from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.losses.sampled_softmax import sampled_softmax

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": bce,
    "bpr": bpr,
    "sampled_softmax": sampled_softmax,
}

__all__ = ["LOSSES", "Loss"]

"""Losses: ``loss(pos (Q, P), neg (Q, N)) -> (Q, P)``, unreduced, in nats.

Column p of the result depends on ``pos[:, p]`` alone, so the training loss called with P
candidates is the per-candidate loss that a denoiser looks at.
"""

from collections.abc import Callable

from torch import Tensor

from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.losses.gbce import gbce
from recpair.losses.hinge import hinge
from recpair.losses.mw import mw
from recpair.losses.sampled_softmax import sampled_softmax
from recpair.losses.softmax import softmax

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": bce,
    "bpr": bpr,
    "gbce": gbce,
    "hinge": hinge,
    "mw": mw,
    "sampled_softmax": sampled_softmax,
    "softmax": softmax,
}
POINTWISE = frozenset(
    {"bce", "gbce"}
)  # a sum over the positive and each negative: loss(pos, none) is the positive's part
OVER_CATALOGUE = frozenset({"softmax"})  # needs ``sampler.negatives: all``
ESTIMATING = "sampled_softmax"  # its sum over negatives can stand for one over the catalogue (``sampler.correct``)

__all__ = ["ESTIMATING", "LOSSES", "OVER_CATALOGUE", "POINTWISE", "Loss"]

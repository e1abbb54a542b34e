"""Losses in nats, unreduced: ``loss(pos (Q, P), neg (Q, N)) -> (Q, P)``, ``(Q,)`` or a scalar.

The return annotation determines the kind of a loss (``KINDS``). Parameters before ``*`` are supplied by recpair
(``step.SUPPLIES``); parameters after ``*`` are config keys.
"""

from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.losses.contract import KINDS, Loss, Pointwise, kind_of, pointwise, positives
from recpair.losses.gbce import gbce
from recpair.losses.hinge import hinge
from recpair.losses.mw import mw
from recpair.losses.none import none
from recpair.losses.sampled_softmax import sampled_softmax
from recpair.losses.softmax import softmax

LOSSES: dict[str, Loss] = {
    "bce": bce,
    "bpr": bpr,
    "gbce": gbce,
    "hinge": hinge,
    "mw": mw,
    "none": none,
    "sampled_softmax": sampled_softmax,
    "softmax": softmax,
}

__all__ = ["KINDS", "LOSSES", "Loss", "Pointwise", "kind_of", "pointwise", "positives"]

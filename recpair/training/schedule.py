"""Learning rate schedules."""

import math
from typing import Literal

from torch.optim import Optimizer

Decay = Literal["none", "linear", "cosine"]


def share_left(decay: Decay, done: float, epochs: int) -> float:
    """Return the share of the learning rate, from 1 at the start to 0 at the end, after ``done`` of ``epochs``.

    linear: 1 − t, cosine: (1 + cos πt) / 2 with t = done / epochs, a fraction (Loshchilov & Hutter, ICLR 2017, without
    restarts); none: 1. It depends on nothing else, so a resumed run has the rates of an uninterrupted one.
    """
    t = done / epochs
    return {"none": 1.0, "linear": 1.0 - t, "cosine": (1.0 + math.cos(math.pi * t)) / 2}[decay]


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = rate

"""Sampling: which pairs a step compares."""

from collections.abc import Callable

from recpair.sampling.negatives import NEGATIVES
from recpair.sampling.pairs import PairSampler, Sampler

SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "pairs": PairSampler,
}

__all__ = ["NEGATIVES", "SAMPLERS", "Sampler"]

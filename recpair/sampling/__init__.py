"""Sampling of mini-batches for training."""

from collections.abc import Callable

from recpair.sampling.negatives import NEGATIVES
from recpair.sampling.pairs import PairSampler, Sampler
from recpair.sampling.sequences import SequenceSampler

SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "pairs": PairSampler,
    "sequences": SequenceSampler,
}

__all__ = ["NEGATIVES", "SAMPLERS", "Sampler"]

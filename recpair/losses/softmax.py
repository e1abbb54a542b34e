"""Softmax over the whole catalogue."""

import torch
from jaxtyping import Float
from torch import Tensor


def softmax(pos: Float[Tensor, "Q P"], log_partition: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log( e^{s⁺} / Σ e^{s} ) over all items, in nats.

    ``log_partition`` is log Σ e^{s} as one column, which recpair computes a block of items at a time (``sampler.negatives:
    all``), so that the scores of a batch are never in memory as a whole; the scores of the whole catalogue work, too.
    """
    return torch.logsumexp(log_partition, dim=-1, keepdim=True) - pos

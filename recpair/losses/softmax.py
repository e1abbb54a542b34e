"""Softmax over the whole catalogue."""

import torch
from jaxtyping import Float
from torch import Tensor


def softmax(pos: Float[Tensor, "Q P"], log_partition: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log( e^{s⁺} / Σ e^{s} ) over all items, in nats.

    ``log_partition`` is log Σ e^{s} as one column. recpair computes it in blocks of items (``sampler.negatives: all``),
    so that the scores of a batch are never all in memory. The scores of the whole catalogue are also accepted.
    """
    return torch.logsumexp(log_partition, dim=-1, keepdim=True) - pos

"""Softmax over the whole catalogue."""

import torch
from jaxtyping import Float
from torch import Tensor


def softmax(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log( e^{s⁺} / Σ e^{s} ) over all items, in nats.

    Here ``neg`` are the scores of the whole catalogue, the positive's among them, or their
    log-partition as one column, which is how recpair calls it (``sampler.negatives: all``): a block of items at
    a time, so that the scores of a batch never stand in memory whole.
    """
    return torch.logsumexp(neg, dim=-1, keepdim=True) - pos

"""Positives against the negatives of everybody: scores that can be compared across users."""

from jaxtyping import Float
from torch import Tensor, cat
from torch.nn.functional import softplus

BLOCK = 2**24  # comparisons held at a time


def mw(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺ − s⁻), averaged over the negatives of all queries of the batch, in nats.

    Source: the Mann–Whitney loss (2025). BPR is its within-user case and blind to any shift of one user's
    scores; this one bounds the pooled AUC (AoC ≤ L / log 2).
    """
    everybody = neg.flatten()
    rows = max(1, BLOCK // max(1, len(everybody)))
    parts = [softplus(everybody - part.unsqueeze(1)).mean(1) for part in pos.flatten().split(rows)]
    return cat(parts).view_as(pos)

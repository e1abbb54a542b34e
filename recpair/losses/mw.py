"""Mann–Whitney loss over all users of the batch, for scores that are comparable across users."""

from jaxtyping import Float
from torch import Tensor, cat
from torch.nn.functional import softplus

BLOCK = 2**24  # comparisons in memory at once


def mw(pos: Float[Tensor, "Q P"], neg: Float[Tensor, "Q N"]) -> Float[Tensor, "Q P"]:
    """−log σ(s⁺ − s⁻), averaged over the negatives of all queries of the batch, in nats.

    Source: the Mann–Whitney loss (2025). BPR is the within-user case and invariant to shifts of one user's
    scores; this loss bounds the pooled AUC (AoC ≤ L / log 2).
    """
    everybody = neg.flatten()
    rows = max(1, BLOCK // max(1, len(everybody)))
    parts = [softplus(everybody - part.unsqueeze(1)).mean(1) for part in pos.flatten().split(rows)]
    return cat(parts).view_as(pos)

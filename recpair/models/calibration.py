"""Calibrations: monotone maps of the scores of a query, after which scores of different models can be added."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Calibration = Literal["z_score", "rank", "log_softmax"]


def z_score(scores: Float[Tensor, "Q I"]) -> Float[Tensor, "Q I"]:
    """Return (s − mean) / sd, with the mean and the population sd of the query over all items; 0 if all are equal."""
    centred = scores.double() - scores[:, :1]  # exactly 0 if all are equal
    centred -= centred.mean(dim=1, keepdim=True)
    sd = centred.square().mean(dim=1, keepdim=True).sqrt()
    return (centred / sd.clamp_min(torch.finfo(torch.float32).tiny)).to(scores.dtype)


def rank(scores: Float[Tensor, "Q I"]) -> Float[Tensor, "Q I"]:
    """Return −log(rank) over all items, rank 1 for the highest score; equal scores share their mean rank."""
    ascending = scores.sort(dim=1).values
    below = torch.searchsorted(ascending, scores)
    not_above = torch.searchsorted(ascending, scores, right=True)
    ranks = scores.shape[1] + 0.5 - (below + not_above).double() / 2
    return -ranks.log().to(scores.dtype)


def log_softmax(scores: Float[Tensor, "Q I"]) -> Float[Tensor, "Q I"]:
    """Return s − log Σ exp(s) over all items, in nats: the ranking of a sum is that of the weighted raw scores."""
    return scores.double().log_softmax(dim=1).to(scores.dtype)


CALIBRATIONS: dict[Calibration, Callable[[Tensor], Tensor]] = {
    "z_score": z_score,
    "rank": rank,
    "log_softmax": log_softmax,
}

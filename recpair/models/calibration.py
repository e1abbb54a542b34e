"""Calibrations: monotone maps of the scores of a query, after which scores of different models can be added."""

from collections.abc import Callable
from typing import Literal

import numpy as np
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
    values = scores.numpy(force=True)
    order = values.argsort(axis=1)  # several times as fast as that of torch
    ascending = np.take_along_axis(values, order, axis=1)
    n_items, places = values.shape[1], np.arange(values.shape[1])
    first = np.ones(values.shape, dtype=bool)  # of the equal scores
    first[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    last = np.roll(first, -1, axis=1)
    start = np.maximum.accumulate(np.where(first, places, 0), axis=1)
    end = np.minimum.accumulate(np.where(last, places, n_items)[:, ::-1], axis=1)[:, ::-1]
    found = np.empty_like(values)
    np.put_along_axis(found, order, -np.log(n_items - (start + end) / 2), axis=1)
    return torch.from_numpy(found).to(scores.device)


def log_softmax(scores: Float[Tensor, "Q I"]) -> Float[Tensor, "Q I"]:
    """Return s − log Σ exp(s) over all items, in nats: the ranking of a sum is that of the weighted raw scores."""
    return scores.double().log_softmax(dim=1).to(scores.dtype)


CALIBRATIONS: dict[Calibration, Callable[[Tensor], Tensor]] = {
    "z_score": z_score,
    "rank": rank,
    "log_softmax": log_softmax,
}

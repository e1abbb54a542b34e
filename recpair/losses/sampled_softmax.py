"""Softmax over one positive and its sampled negatives; InfoNCE is this loss of two views."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus


def sampled_softmax(
    pos: Float[Tensor, "Q P"],
    neg: Float[Tensor, "Q N"],
    *,
    temperature: Annotated[float, Field(gt=0)] = 1.0,
) -> Float[Tensor, "Q P"]:
    """−log( e^{s⁺/τ} / (e^{s⁺/τ} + Σ e^{s⁻/τ}) ), in nats.

    Equal to softplus(logsumexp(s⁻/τ) − s⁺/τ), which overflows nowhere. With one negative and τ = 1
    it is BPR. Source: Wu et al., TOIS 2024 (sampled softmax for recommendation). The logQ correction for negatives that
    are not uniform is the sampler's (``sampler.correct``), as it is of scores and not of the loss.
    """
    return softplus(torch.logsumexp(neg / temperature, dim=-1, keepdim=True) - pos / temperature)

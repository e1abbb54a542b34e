"""Softmax over one positive and its sampled negatives; InfoNCE is this loss of two views."""

from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

from recpair.losses.contract import estimates_catalogue

CACHED = 2**17  # scores processed at once


@estimates_catalogue
def sampled_softmax(
    pos: Float[Tensor, "Q P"],
    neg: Float[Tensor, "Q N"],
    *,
    temperature: Annotated[float, Field(gt=0)] = 1.0,
) -> Float[Tensor, "Q P"]:
    """−log( e^{s⁺/τ} / (e^{s⁺/τ} + Σ e^{s⁻/τ}) ), in nats.

    Computed as softplus(logsumexp(s⁻/τ) − s⁺/τ), which does not overflow. With one negative and τ = 1
    it is BPR. Source: Wu et al., TOIS 2024 (sampled softmax for recommendation). The sampler applies the logQ
    correction (``sampler.correct``), with which the sum over N negatives estimates that over the catalogue.
    """
    if neg.dtype in (torch.float16, torch.bfloat16):  # sums over thousands require 32 bits
        neg = neg.float()
    against: Tensor = LogSumExp.apply(neg, temperature)
    return softplus(against - pos / temperature)


class LogSumExp(torch.autograd.Function):
    """log Σ e^{x/τ} over the last axis (Q, N) → (Q, 1), some rows at a time.

    The scores of thousands of shared negatives take tens of megabytes. Blocks of a few rows stay in the cache from
    x/τ to their sum; only e^{x/τ − max}, which the gradient requires, is written to memory.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, temperature: float) -> Tensor:
        exponentials, out = torch.empty_like(x), x.new_empty(len(x), 1)
        rows = max(1, CACHED // max(1, x.shape[1]))
        sums = torch.empty_like(out)
        for scores, part, total, result in zip(*(t.split(rows) for t in (x, exponentials, sums, out)), strict=True):
            torch.div(scores, temperature, out=part)
            largest = part.amax(-1, keepdim=True)
            torch.sum(part.sub_(largest).exp_(), -1, keepdim=True, out=total)
            torch.add(total.log(), largest, out=result)
        ctx.save_for_backward(exponentials, sums)
        ctx.temperature = temperature
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        exponentials, sums = ctx.saved_tensors
        return exponentials * (gradient / (sums * ctx.temperature)), None

"""The L2 penalty of a batch's embeddings."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def mean_squared_norm(embeddings: Float[Tensor, "Q P D"]) -> Float[Tensor, ""]:
    """Mean over Q and P of ‖e‖²: one pass over the embeddings forward, and one back."""
    norm: Tensor = MeanSquaredNorm.apply(embeddings)
    return norm


class MeanSquaredNorm(torch.autograd.Function):
    """Σ e² / (Q · P); its gradient is 2e / (Q · P). Written out, torch would pass over the embeddings a dozen times."""

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor) -> Tensor:
        ctx.save_for_backward(embeddings)
        flat = embeddings.flatten()
        mean: Tensor = torch.dot(flat, flat) / embeddings[..., 0].numel()
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (embeddings,) = ctx.saved_tensors
        back: Tensor = embeddings * (2 * gradient / embeddings[..., 0].numel())
        return back

"""InfoNCE between two views of the same objects."""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, normalize

Similarity = Literal["dot", "cosine"]
Temperature = Annotated[float, Field(gt=0)]


def info_nce(
    view_1: Float[Tensor, "A D"],
    view_2: Float[Tensor, "A D"],
    *,
    temperature: float = 1.0,
    similarity: Similarity = "dot",
    same: Bool[Tensor, "A A"] | None = None,
    weights: Float[Tensor, "A A"] | None = None,
) -> Float[Tensor, ""]:
    """Cross entropy of each vector's partner among the 2A − 1 other vectors of both views, in nats; 0 if A is 0.

    With z the 2A vectors of both views and p(i) the partner of i,
    mean over i of −log( e^{z_i·z_p(i)/τ} / Σ_{j≠i} e^{z_i·z_j/τ} ). This is ``sampled_softmax`` with 2A − 2 negatives
    per vector, in both directions. Source: van den Oord et al. 2018; in this form Chen et al., ICML 2020 (SimCLR)
    and Cui et al., NeurIPS 2025 (SRA-CL), whose numbers it reproduces.

    Args:
        temperature: τ.
        similarity: dot product or cosine of two vectors.
        same: pairs excluded from the negatives (same user, same target), in either view. Partners are never excluded.
        weights: pairwise similarities, 0 to 1: each object is then a soft positive of all others,
            −Σ_j w_ij / Σ_j w_ij · log p_ij (CWCL; Srinivasa et al., NeurIPS 2023). The identity gives InfoNCE.
    """
    n = len(view_1)
    both = torch.cat([view_1, view_2])
    if similarity == "cosine":
        both = normalize(both, dim=1)
    itself = torch.eye(2 * n, dtype=torch.bool, device=both.device)
    excluded = itself if same is None else itself | (same.repeat(2, 2) & ~itself.roll(n, dims=1))
    logits = (both @ both.T / temperature).masked_fill(excluded, -torch.inf)
    if weights is None:
        partners = torch.arange(2 * n, device=both.device).roll(n)
        losses = cross_entropy(logits, partners, reduction="sum")
    else:
        shares = weights.repeat(2, 2).masked_fill(excluded, 0)
        shares = shares / shares.sum(1, keepdim=True)
        losses = -(shares * log_softmax(logits, dim=1).masked_fill(excluded, 0)).sum()
    return losses / max(2 * n, 1)

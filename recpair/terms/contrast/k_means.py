"""k-means in torch, on the device of the vectors."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recpair.seeds import generator

BLOCK = 16_384  # vectors whose distances are in memory at once


def nearest_centre(vectors: Float[Tensor, "_ D"], centres: Float[Tensor, "K D"]) -> Int[Tensor, "_"]:
    """Return the index of the nearest centre (Euclidean) of each vector; ties go to the lowest index."""
    offsets = centres.square().sum(1)
    return torch.cat([(offsets - 2 * block @ centres.T).argmin(1) for block in vectors.split(BLOCK)])


def k_means(vectors: Float[Tensor, "_ D"], k: int, iterations: int) -> Float[Tensor, "K D"]:
    """Centres of min(k, n) clusters by Lloyd's algorithm from random vectors; empty clusters keep their centre."""
    device = vectors.device
    centres = vectors[torch.randperm(len(vectors), device=device, generator=generator(device))[:k]]
    for _ in range(iterations):
        nearest = nearest_centre(vectors, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        count = torch.bincount(nearest, minlength=len(centres)).unsqueeze(1)
        centres = torch.where(count > 0, sums / count.clamp_min(1), centres)
    return centres

"""Alignment and uniformity of vectors on the unit sphere."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pdist


def alignment(x: Float[Tensor, "Q D"], y: Float[Tensor, "Q D"]) -> Float[Tensor, ""]:
    """Mean squared distance of pairs on the unit sphere: 0 if they coincide, 2 for random pairs, 4 at most.

    Source: Wang & Isola, ICML 2020, equation 1 with α = 2.
    """
    return (normalize(x, dim=1) - normalize(y, dim=1)).square().sum(1).mean()


def uniformity(x: Float[Tensor, "_ D"]) -> Float[Tensor, ""]:
    """log of the mean of e^(−2 · squared distance) over pairs on the unit sphere: 0 if all coincide, else negative.

    Source: Wang & Isola, ICML 2020, equation 2 with t = 2; each pair counts once. Fewer than two vectors: 0.
    """
    if len(x) < 2:
        return x.sum() * 0
    distances = pdist(normalize(x, dim=1))
    return distances.square().mul(-2).exp().mean().log()

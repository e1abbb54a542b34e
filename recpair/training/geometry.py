"""How vectors lie on the unit sphere: whether what belongs together is near, and whether the rest is spread."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pdist

from recpair.batch import Batch
from recpair.models import Vectors

SAMPLE = 256  # queries, and items, that are looked at a step


def alignment(x: Float[Tensor, "Q D"], y: Float[Tensor, "Q D"]) -> Float[Tensor, ""]:
    """Mean squared distance of pairs on the unit sphere: 0 where they coincide, 2 for random ones, 4 at most.

    Source: Wang & Isola, ICML 2020, equation 1 with α = 2.
    """
    return (normalize(x, dim=1) - normalize(y, dim=1)).square().sum(1).mean()


def uniformity(x: Float[Tensor, "_ D"]) -> Float[Tensor, ""]:
    """log of the mean of e^(−2 · squared distance) over pairs on the unit sphere: 0 where all coincide, else less.

    Source: Wang & Isola, ICML 2020, equation 2 with t = 2; each pair once.
    """
    distances = pdist(normalize(x, dim=1))
    return distances.square().mul(-2).exp().mean().log()


@torch.no_grad()
def geometry(scorer: Vectors, batch: Batch) -> dict[str, Float[Tensor, ""]]:
    """Alignment of histories with what followed them, uniformity of both, on a sample; empty for fewer than two.

    The sample are the batch's first queries, and items at equal distances in the catalogue: nothing is drawn, so looking
    changes no run.
    """
    histories = scorer.queries[:SAMPLE].float()
    items = scorer.items.detach()[:: max(1, len(scorer.items) // SAMPLE)].float()
    if len(histories) < 2 or len(items) < 2:
        return {}
    followed = scorer.items[batch.positives[:SAMPLE, 0]].float()
    return {
        "alignment": alignment(histories, followed),
        "uniformity_histories": uniformity(histories),
        "uniformity_items": uniformity(items),
    }

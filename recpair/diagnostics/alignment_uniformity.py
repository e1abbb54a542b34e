"""Alignment of queries with their positives, and uniformity of queries and items."""

from jaxtyping import Float
from torch import Tensor

from recpair.models.sphere import alignment, uniformity

SAMPLE = 256  # number of queries, and of items


def alignment_uniformity(
    queries: Float[Tensor, "Q D"], positive_vectors: Float[Tensor, "Q P D"], item_vectors: Float[Tensor, "I D"]
) -> dict[str, Float[Tensor, ""]]:
    """``alignment``, ``uniformity_queries`` and ``uniformity_items`` of a sample; empty for fewer than two vectors.

    The sample is deterministic: the first queries of the batch, and items at equal distances in the catalogue.
    Source: Wang & Isola (ICML 2020), equations 1 and 2.
    """
    sample = queries[:SAMPLE].float()
    items = item_vectors[:: max(1, len(item_vectors) // SAMPLE)].float()
    if len(sample) < 2 or len(items) < 2:
        return {}
    return {
        "alignment": alignment(sample, positive_vectors[:SAMPLE, 0].float()),
        "uniformity_queries": uniformity(sample),
        "uniformity_items": uniformity(items),
    }

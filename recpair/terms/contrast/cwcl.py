"""CWCL: contrastive loss of histories with semantic soft weights."""

from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from recpair.models import SequenceModel
from recpair.semantics import Retrieved
from recpair.terms.contract import Term
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.info_nce import Similarity, Temperature
from recpair.terms.contrast.views import replace


class CWCL(Term):
    """Weighted InfoNCE of a history and a view of it with items replaced by semantic neighbours.

    The weight of two histories is ((1 + cosine of their frozen semantic vectors) / 2)^sharpness, that of a history with
    itself 1. Source: Srinivasa et al., CWCL: Cross-Modal Transfer with Continuously Weighted Contrastive Loss (NeurIPS
    2023), proposed for two modalities with sharpness 1. Deviations: each view is compared with both; a sharpness, which
    approaches InfoNCE as it grows; views by semantic replacement as in SRA-CL; the first is the recommender's vector.
    """

    semantic: Tensor
    neighbours: Tensor

    def __init__(
        self,
        retrieved: Retrieved,
        *,
        sharpness: Annotated[float, Field(gt=0)] = 1.0,
        replacement: Annotated[float, Field(ge=0, le=1)] = 0.2,
        temperature: Temperature = 0.07,
        similarity: Similarity = "cosine",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            sharpness: exponent of the weights.
            replacement: probability of replacing each item in the second view.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        self.register_buffer("semantic", torch.from_numpy(retrieved.history_vectors), persistent=False)
        self.register_buffer("neighbours", torch.from_numpy(retrieved.item_neighbours).long(), persistent=False)
        self.sharpness, self.replacement = sharpness, replacement
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        view = model.encode_last(replace(anchors.history, self.replacement, self.neighbours))
        return self.agreement(anchors.vectors, view, anchors, self.weights(anchors.row))

    def weights(self, row: Int[Tensor, "A"]) -> Float[Tensor, "A A"]:
        """Semantic similarities of the histories before the given rows, 0 to 1."""
        meaning = self.semantic[row]
        alike = ((1 + meaning @ meaning.T) / 2).clamp(0, 1) ** self.sharpness
        return alike.fill_diagonal_(1)

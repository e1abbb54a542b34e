"""CL4SRec: contrastive learning with two views per history by crop, mask or reorder."""

from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.models import SequenceModel
from recpair.terms.contract import Term
from recpair.terms.contrast import views
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.info_nce import Similarity, Temperature


class CL4SRec(Term):
    """InfoNCE of two views of each history; each view is drawn from crop, mask and reorder.

    Source: Xie et al., Contrastive Learning for Sequential Recommendation (ICDE 2022). Deviation: the mask removes
    items (``views.mask``).
    """

    def __init__(
        self,
        *,
        crop: Annotated[float, Field(gt=0, le=1)] = 0.6,
        mask_items: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        reorder: Annotated[float, Field(ge=0, le=1)] = 0.6,
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            crop: share of a history kept by a crop.
            mask_items: share removed by a mask.
            reorder: share that is shuffled.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        self.views = [
            partial(views.crop, rate=crop),
            partial(views.mask, rate=mask_items),
            partial(views.reorder, rate=reorder),
        ]
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        pair = [views.one_of(self.views, anchors.history) for _ in range(2)]
        view_1, view_2 = model.encode_last(torch.cat(pair)).chunk(2)
        return self.agreement(view_1, view_2, anchors)

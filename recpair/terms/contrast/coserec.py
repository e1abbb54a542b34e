"""CoSeRec: views by insertion and substitution of correlated items, and by crop, mask and reorder."""

from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from recpair.data.histories import PADDING
from recpair.data.interactions import Interactions
from recpair.models import SequenceModel
from recpair.terms.contract import Term
from recpair.terms.contrast import views
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.correlation import correlated_items
from recpair.terms.contrast.info_nce import Similarity, Temperature


class CoSeRec(Term):
    """InfoNCE of two views per history: short ones by substitute, insert or mask, longer ones also by crop or reorder.

    Source: Liu et al., Contrastive Self-supervised Sequential Recommendation with Robust Augmentation (2021). The rates
    are those of the authors' code. Deviations: correlations are computed from training histories and fixed (the authors
    blend in the model's item vectors after some epochs); the mask removes items (``views.mask``).
    """

    correlated: Tensor

    def __init__(
        self,
        interactions: Interactions,
        *,
        substitute: Annotated[float, Field(ge=0, le=1)] = 0.1,
        insert: Annotated[float, Field(ge=0, le=1)] = 0.4,
        mask_items: Annotated[float, Field(ge=0, lt=1)] = 0.7,
        crop: Annotated[float, Field(gt=0, le=1)] = 0.2,
        reorder: Annotated[float, Field(ge=0, le=1)] = 0.2,
        short: Annotated[int, Field(ge=0)] = 4,
        correlated: Annotated[int, Field(gt=0)] = 1,
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            substitute, insert, mask_items, reorder: share of a history that is changed.
            crop: share kept by a crop.
            short: maximum length of a short history.
            correlated: number of correlated items to draw from, per item.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        table = torch.from_numpy(correlated_items(interactions, correlated)).long()
        self.register_buffer("correlated", table, persistent=False)
        self.rates = {"substitute": substitute, "insert": insert}
        self.mask_items, self.crop, self.reorder, self.short = mask_items, crop, reorder, short
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        pair = [self.view(anchors.history) for _ in range(2)]
        view_1, view_2 = model.encode_last(torch.cat(pair)).chunk(2)
        return self.agreement(view_1, view_2, anchors)

    def view(self, history: Int[Tensor, "A T"]) -> Int[Tensor, "A T"]:
        """Return one view of each history, depending on its length."""
        gentle: list[views.View] = [
            partial(views.substitute, rate=self.rates["substitute"], neighbours=self.correlated),
            partial(views.insert, rate=self.rates["insert"], neighbours=self.correlated),
            partial(views.mask, rate=self.mask_items),
        ]
        rough: list[views.View] = [partial(views.crop, rate=self.crop), partial(views.reorder, rate=self.reorder)]
        short = (history != PADDING).sum(1, keepdim=True) <= self.short
        return torch.where(short, views.one_of(gentle, history), views.one_of(gentle + rough, history))

"""ICLRec: contrast of histories with the prototypes of their intents."""

from functools import partial
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from recpair.data.interactions import Interactions
from recpair.models import GradientModel, SequenceModel
from recpair.terms.contract import Term
from recpair.terms.contrast import views
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.info_nce import Similarity, Temperature
from recpair.terms.contrast.k_means import k_means, nearest_centre
from recpair.terms.contrast.prefixes import Prefixes

ENCODED_AT_ONCE = 1024  # histories


class ICLRec(Term):
    """InfoNCE of two views with the prototype of their history's intent, plus InfoNCE of the views with each other.

    Intents are clusters (k-means) of the vectors of all users' training histories at the start of an epoch.
    Histories with the same intent are excluded from the negatives. Source: Chen et al., Intent Contrastive Learning
    for Sequential Recommendation (WWW 2022); rates and unit-length prototypes as in the authors' code.
    Deviations: a history is represented by its last position, not the mean of its positions, also in clustering; the
    mask removes items (``views.mask``).
    """

    last_rows: Tensor

    def __init__(
        self,
        interactions: Interactions,
        history_length: int,
        *,
        intents: Annotated[int, Field(gt=0)] = 256,
        iterations: Annotated[int, Field(gt=0)] = 20,
        between_views: Annotated[float, Field(ge=0)] = 1.0,
        mask_same_intent: bool = True,
        crop: Annotated[float, Field(gt=0, le=1)] = 0.2,
        mask_items: Annotated[float, Field(ge=0, lt=1)] = 0.7,
        reorder: Annotated[float, Field(ge=0, le=1)] = 0.2,
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            intents: number of clusters, at most the number of histories.
            iterations: k-means iterations per epoch.
            between_views: weight of the loss between the views, relative to that with prototypes.
            mask_same_intent: exclude histories with the same intent from the negatives.
            crop, mask_items, reorder: rates of the views, as in cl4srec.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        self.intents, self.iterations, self.between_views = intents, iterations, between_views
        self.mask_same_intent = mask_same_intent
        self.views = [
            partial(views.crop, rate=crop),
            partial(views.mask, rate=mask_items),
            partial(views.reorder, rate=reorder),
        ]
        self.prefixes = Prefixes(interactions, history_length)
        indptr = torch.from_numpy(interactions.indptr).long()
        last, first = indptr[1:] - 1, indptr[:-1]
        self.register_buffer("last_rows", last[last > first], persistent=False)
        self.agreement = Agreement(temperature, similarity, mask)
        self.prototypes: Tensor | None = None
        self.centres: Tensor | None = None

    @torch.no_grad()
    def prepare(self, model: GradientModel) -> None:
        """Cluster the current vectors of the histories before each user's last training event."""
        assert isinstance(model, SequenceModel)
        training = model.training
        model.eval()
        encoded = [self.prefixes.encode(model, rows) for rows in self.last_rows.split(ENCODED_AT_ONCE)]
        model.train(training)
        self.centres = k_means(torch.cat(encoded), self.intents, self.iterations)
        self.prototypes = normalize(self.centres, dim=1)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        assert self.centres is not None, "prepare() comes before the first step"
        assert self.prototypes is not None
        pair = [views.one_of(self.views, anchors.history) for _ in range(2)]
        view_1, view_2 = model.encode_last(torch.cat(pair)).chunk(2)
        intent = nearest_centre(anchors.vectors.detach(), self.centres)
        towards = self.prototypes[intent]
        alike = intent.unsqueeze(1) == intent if self.mask_same_intent else None
        sides = [self.agreement(view, towards, anchors, alike=alike) for view in (view_1, view_2)]
        with_intents = torch.stack(sides).mean()
        return with_intents + self.between_views * self.agreement(view_1, view_2, anchors)

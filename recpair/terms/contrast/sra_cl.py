"""SRA-CL: contrast of histories with semantic neighbours and with semantically augmented views."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.models import SequenceModel
from recpair.semantics import Retrieved
from recpair.terms.contract import Term
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.info_nce import Similarity, Temperature
from recpair.terms.contrast.prefixes import Prefixes
from recpair.terms.contrast.synthesiser import SYNTHESISERS
from recpair.terms.contrast.views import replace


class CrossUser(Term):
    """InfoNCE of a history and the weighted sum of the encodings of its semantically nearest histories.

    Source: SRA-CL (Cui et al., NeurIPS 2025), section 3.2. Deviations: the anchor's vector is that of the recommender,
    not a second encoding; distinct neighbours are encoded once per step; a history without neighbours is its own
    neighbour (encoded again, with another dropout mask).
    """

    semantic: Tensor
    nearest: Tensor

    def __init__(
        self,
        interactions: Interactions,
        history_length: int,
        embedding_dim: int,
        retrieved: Retrieved,
        *,
        neighbours: Annotated[int, Field(gt=0)] | None = None,
        synthesiser: Literal["learned", "mean", "nearest", "scaled_dot"] = "learned",
        synthesiser_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            neighbours: k; None for all retrieved neighbours.
            synthesiser: weighting of the neighbours: ``learned`` as published, ``scaled_dot`` attention, ``mean``,
                or only the ``nearest``.
            synthesiser_dropout: dropout rate of the weights.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        nearest = torch.from_numpy(retrieved.history_neighbours).long()
        self.register_buffer("semantic", torch.from_numpy(retrieved.history_vectors), persistent=False)
        self.register_buffer("nearest", nearest[:, : 1 if synthesiser == "nearest" else neighbours], persistent=False)
        self.prefixes = Prefixes(interactions, history_length)
        self.synthesiser = SYNTHESISERS[synthesiser](self.semantic.shape[1], embedding_dim, synthesiser_dropout)
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        return self.agreement(anchors.vectors, self.positives(model, anchors), anchors)

    def positives(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, "A D"]:
        """Return the positive synthesised for each anchor from its neighbours."""
        nearest = self.nearest[anchors.row]
        alone = (nearest < 0).all(1)
        nearest[:, 0] = torch.where(alone, anchors.row, nearest[:, 0])
        known = nearest >= 0
        # Missing neighbours refer to the anchor's first neighbour, which is encoded anyway; their weight is 0.
        distinct, index = torch.where(known, nearest, nearest[:, :1]).unique(return_inverse=True)
        weights = self.synthesiser(self.semantic[anchors.row], self.semantic[distinct], index, known)
        vectors = self.prefixes.encode(model, distinct)
        return torch.einsum("ak,akd->ad", weights.to(vectors.dtype), vectors[index])


class IntraUser(Term):
    """InfoNCE of two views of a history, each with items replaced by semantic neighbours.

    Source: SRA-CL (Cui et al., NeurIPS 2025), section 3.3.
    """

    neighbours: Tensor

    def __init__(
        self,
        retrieved: Retrieved,
        *,
        replacement: Annotated[float, Field(ge=0, le=1)] = 0.2,
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            replacement: probability of replacing each item.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        near = torch.from_numpy(retrieved.item_neighbours).long()
        self.register_buffer("neighbours", near, persistent=False)
        self.replacement = replacement
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        views = [replace(anchors.history, self.replacement, self.neighbours) for _ in range(2)]
        view_1, view_2 = model.encode_last(torch.cat(views)).chunk(2)
        return self.agreement(view_1, view_2, anchors)

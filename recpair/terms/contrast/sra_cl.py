"""SRA-CL: histories agree with what is made of semantically near ones, and with near views of themselves."""

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
    """A history agrees with the weighted sum of the encoded histories that are nearest to it in meaning.

    Source: SRA-CL (Cui et al., NeurIPS 2025), section 3.2. Deviations: the anchor's vector is the recommender's own,
    not a second encoding; distinct neighbours are encoded once a step; a history without neighbours stands in for
    them itself (encoded anew, so by another dropout).
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
            neighbours: k; None takes all that were retrieved.
            synthesiser: how neighbours are weighed: ``learned`` as published, ``scaled_dot`` attention, ``mean``,
                or the ``nearest`` alone.
            synthesiser_dropout: on the weights.
            mask: pairs that are not each other's negatives: with the same user, the same target, or either (both).
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
        """What is synthesised for each anchor from its neighbours."""
        nearest = self.nearest[anchors.row]
        alone = (nearest < 0).all(1)
        nearest[:, 0] = torch.where(alone, anchors.row, nearest[:, 0])
        known = nearest >= 0
        # Missing neighbours point at the anchor's first one: it is encoded anyway, and their weight is 0.
        distinct, index = torch.where(known, nearest, nearest[:, :1]).unique(return_inverse=True)
        weights = self.synthesiser(self.semantic[anchors.row], self.semantic[distinct], index, known)
        vectors = self.prefixes.encode(model, distinct)
        return torch.einsum("ak,akd->ad", weights.to(vectors.dtype), vectors[index])


class IntraUser(Term):
    """Two views of a history agree, in each of which items are replaced by semantic neighbours.

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
            replacement: probability of each item to be replaced.
            mask: pairs that are not each other's negatives: with the same user, the same target, or either (both).
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

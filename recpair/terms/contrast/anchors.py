"""Histories of a batch that contrastive terms compare, and the loss between their views."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recpair.batch import Batch
from recpair.models import Vectors
from recpair.terms.contrast.info_nce import Similarity, info_nce

Mask = Literal["none", "user", "target", "both"]


@dataclass(frozen=True)
class Anchors:
    """One query per history: the one at its last position, whose vector the scorer has already computed.

    Attributes:
        vectors: vectors of the histories, with gradient.
        history: items of the histories, padded on the left.
        user: user of each history.
        row: the training row that follows the history.
        target: the item of that row.
    """

    vectors: Float[Tensor, "A D"]
    history: Int[Tensor, "A T"]
    user: Int[Tensor, "A"]
    row: Int[Tensor, "A"]
    target: Int[Tensor, "A"]

    @classmethod
    def of(cls, scorer: Vectors, batch: Batch) -> "Anchors":
        assert batch.history is not None, "contrast terms compare histories"
        length = batch.history.shape[1]
        if batch.at is None:
            queries = histories = torch.arange(len(batch), device=batch.user.device)
        else:
            queries = (batch.at % length == length - 1).nonzero().squeeze(1)
            histories = batch.at[queries] // length
        return cls(
            scorer.queries[queries],
            batch.history[histories],
            batch.user[queries],
            batch.rows[queries, 0],
            batch.positives[queries, 0],
        )

    def false_negatives(self, mask: Mask) -> Bool[Tensor, "A A"] | None:
        """Mask of the pairs with the same user, the same target, or either; None for ``none``."""
        same = [
            key.unsqueeze(1) == key
            for name, key in (("user", self.user), ("target", self.target))
            if mask in (name, "both")
        ]
        return torch.stack(same).any(0) if same else None


@dataclass(frozen=True)
class Agreement:
    """InfoNCE with the options shared by the contrastive terms.

    Attributes:
        temperature, similarity: options of InfoNCE.
        mask: pairs of anchors excluded from the negatives.
    """

    temperature: float
    similarity: Similarity
    mask: Mask

    def __call__(
        self,
        view_1: Float[Tensor, "A D"],
        view_2: Float[Tensor, "A D"],
        anchors: Anchors,
        weights: Float[Tensor, "A A"] | None = None,
        alike: Bool[Tensor, "A A"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return InfoNCE of two views of the anchors; ``alike`` pairs are also excluded from the negatives."""
        same = anchors.false_negatives(self.mask)
        if alike is not None:
            same = alike if same is None else same | alike
        return info_nce(
            view_1, view_2, temperature=self.temperature, similarity=self.similarity, same=same, weights=weights
        )

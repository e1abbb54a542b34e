"""DuoRec: contrast with the same history under another dropout mask and a history with the same target."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.models import SequenceModel
from recpair.seeds import generator
from recpair.terms.contract import Term
from recpair.terms.contrast.anchors import Agreement, Anchors, Mask
from recpair.terms.contrast.info_nce import Similarity, Temperature
from recpair.terms.contrast.prefixes import Prefixes


class SameTarget(torch.nn.Module):
    """Training rows grouped by item, excluding the first row of each user."""

    rows: Tensor
    place: Tensor
    start: Tensor
    count: Tensor

    def __init__(self, train: Interactions) -> None:
        super().__init__()
        item = torch.from_numpy(train.item).long()
        follows = torch.arange(len(item)) > torch.from_numpy(train.indptr[train.user]).long()
        rows = follows.nonzero().squeeze(1)
        rows = rows[item[rows].argsort(stable=True)]  # grouped by item
        place = torch.full_like(item, -1)
        place[rows] = torch.arange(len(rows))
        count = torch.bincount(item[rows], minlength=train.n_items)
        start = count.cumsum(0) - count
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("count", count, persistent=False)

    def draw(self, row: Int[Tensor, "A"], target: Int[Tensor, "A"]) -> Int[Tensor, "A"]:
        """Draw another row with the same target, uniformly; the row itself if it is the only one."""
        others = self.count[target] - 1
        drawn = torch.rand(row.shape, dtype=torch.float32, device=row.device, generator=generator(row.device))
        step = 1 + (drawn * others).long()
        own = self.place[row] - self.start[target]
        return self.rows[self.start[target] + (own + step) % self.count[target]]


class DuoRec(Term):
    """InfoNCE of a history under a second dropout mask and another history with the same next item.

    Source: Qiu et al., Contrastive Learning for Representation Degeneration Problem in Sequential Recommendation (WSDM
    2022). Deviation: for a unique target, the history itself is used (under another dropout mask).
    """

    def __init__(
        self,
        interactions: Interactions,
        history_length: int,
        *,
        views: Literal["both", "dropout", "target"] = "both",
        temperature: Temperature = 1.0,
        similarity: Similarity = "dot",
        mask: Mask = "none",
    ) -> None:
        """
        Args:
            views: compared views: a second dropout and a history with the same target (``both``), the recommender's
                vector and a second ``dropout``, or that vector and a history with the same ``target``.
            mask: pairs excluded from the negatives: with the same user, the same target, or either (both).
        """
        super().__init__()
        self.views = views
        self.same_target = SameTarget(interactions)
        self.prefixes = Prefixes(interactions, history_length)
        self.agreement = Agreement(temperature, similarity, mask)

    def forward(self, model: SequenceModel, anchors: Anchors) -> Float[Tensor, ""]:
        view_1 = anchors.vectors if self.views != "both" else model.encode_last(anchors.history)
        if self.views == "dropout":
            return self.agreement(view_1, model.encode_last(anchors.history), anchors)
        rows = self.same_target.draw(anchors.row, anchors.target)
        distinct, index = rows.unique(return_inverse=True)
        return self.agreement(view_1, self.prefixes.encode(model, distinct)[index], anchors)

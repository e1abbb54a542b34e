"""Model of an earlier run, as a scorer of the users and items of later data."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.models.contract import HistoryModel, Model
from recpair.models.scorer import TableScorer

LONGEST = 2**31 - 1  # whole histories


class Realigned(Model):
    """Scores of an earlier model over another catalogue, as it would be used there.

    A model that reads histories reads those of the later data. Other models score a known user by what they have stored,
    and an unknown user by ``fold_in`` of the later training events. A user without a known item gets the numbers of
    earlier training events of the items. An item that the earlier model has not trained has the score −∞: it is never
    ranked.
    """

    def __init__(
        self, model: Model, train: Interactions, users: np.ndarray, items: np.ndarray, later: Interactions
    ) -> None:
        """
        Args:
            model: the earlier model.
            train: its training events.
            users, items: int (U,) and (I,), the earlier index of each user and item; −1 if unknown.
            later: the later training events.
        """
        super().__init__()
        self.model, self.users, self.items = model, users, items
        self.later = Histories((later,))
        self.counts = torch.from_numpy(train.item_counts.astype(np.float32))

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        """Return the queries of the users with their whole histories, or all their training events."""
        read = histories if isinstance(self.model, HistoryModel) else self.later
        return Batch.of_users(user, torch.from_numpy(read.latest(user.cpu().numpy(), LONGEST)))

    @torch.no_grad()
    def score(self, batch: Batch) -> TableScorer:
        assert batch.history is not None, "batch_of supplies histories"
        user = self.users[batch.user.cpu().numpy()]
        stored = (user >= 0) & (not isinstance(self.model, HistoryModel))
        history = batch.history.cpu().numpy()
        scores = self._folded([row[row >= 0] for row in history], ~stored)
        if stored.any():
            queries = Batch.of_users(torch.from_numpy(user[stored]).long())
            scores[torch.from_numpy(stored)] = self.model.score(queries).catalogue().float().cpu()
        return TableScorer(self._of_catalogue(scores))

    def fold_in(self, histories: Sequence[np.ndarray]) -> TableScorer:
        """Score unknown users by the known items of their histories; without any, by the numbers of events."""
        return TableScorer(self._of_catalogue(self._folded(histories, np.ones(len(histories), dtype=bool))))

    def _folded(self, histories: Sequence[np.ndarray], wanted: np.ndarray) -> Float[Tensor, "Q _"]:
        """Scores of the earlier items for the wanted histories; the numbers of events for the others."""
        scores = self.counts.repeat(len(histories), 1)
        known = {}
        for place, history in enumerate(histories):
            items = self.items[history]
            if wanted[place] and (items >= 0).any():
                known[place] = items[items >= 0]
        if known:
            scores[list(known)] = self.model.fold_in(list(known.values())).catalogue().float().cpu()
        return scores

    def _of_catalogue(self, scores: Float[Tensor, "Q _"]) -> Float[Tensor, "Q I"]:
        items = torch.from_numpy(self.items).long()
        found = scores[:, items.clamp_min(0)]
        return found.masked_fill(items < 0, -torch.inf)

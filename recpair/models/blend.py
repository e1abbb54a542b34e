"""Blend: a weighted sum of the calibrated scores of other models."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.models.calibration import CALIBRATIONS, Calibration
from recpair.models.contract import FittedModel, Model
from recpair.models.scorer import Scorer, TableScorer


class Blend(FittedModel):
    """score(q, i) = Σ_m w[g, m] · c(s_m(q, ·))[i] over the members m, with g the group of the query's user.

    c is the calibration of the scores of a query over all items (``models.calibration``). A group consists of the users
    with a number of training events in a range, (edges[g − 1], edges[g]]; an unknown user has the group of the length
    of the history. A member whose weights are 0 for all queries of a batch is not scored. If only one member of a group
    has a weight, its scores are not calibrated, so that the ranking is exactly that of the member.

    ``recpair.blend`` constructs a blend from finished runs and chooses its weights, so ``fit`` raises an error. The
    members are part of the state dict (``members.0.…``).
    """

    weighs_events = True  # as far as the members do
    weights: Tensor
    edges: Tensor
    activity: Tensor

    def __init__(
        self,
        interactions: Interactions,
        parts: Sequence[Model] = (),
        *,
        members: Annotated[Sequence[dict[str, Any]], Field(max_length=100)] = (),
        calibration: Calibration = "z_score",
        groups: Annotated[int, Field(ge=1, le=100)] = 1,
    ) -> None:
        """
        Args:
            parts: the models of the members, in the same order.
            members: config section ``model`` of each member.
            groups: number of groups of users.

        Raises:
            ConfigError: there are no members.
        """
        super().__init__()
        if not parts or len(parts) != len(members):
            raise ConfigError(
                f"model.members lists {len(members)} models, expected those of a blend; make one from finished runs: "
                f"recpair blend RUN RUN --out RUN"
            )
        self.members, self.calibration = nn.ModuleList(parts), calibration
        self.history_length = max(map(_history_length, parts))
        self.register_buffer("weights", torch.full((groups, len(parts)), 1 / len(parts)))
        self.register_buffer("edges", torch.zeros(groups - 1, dtype=torch.int64))
        self.register_buffer("activity", torch.from_numpy(np.diff(interactions.indptr)), persistent=False)

    @property
    def parts(self) -> list[Model]:
        """The models of the members."""
        return [cast(Model, member) for member in self.members]

    @property
    def device(self) -> torch.device:
        return self.weights.device

    def fit(self, interactions: Interactions) -> None:
        """Raise a ConfigError: the members of a blend are fitted before."""
        raise ConfigError("a blend is made from finished runs; use recpair blend RUN RUN --out RUN")

    def batch_of(self, user: Int[Tensor, "Q"], histories: Histories) -> Batch:
        """Return the queries of the users, with the longest histories that a member reads."""
        if self.history_length == 0:
            return Batch.of_users(user)
        history = histories.latest(user.cpu().numpy(), self.history_length)
        return Batch.of_users(user, torch.from_numpy(history).to(user.device))

    def score(self, batch: Batch) -> TableScorer:
        return self._blended(batch, self.activity[batch.user])

    def fold_in(self, histories: Sequence[np.ndarray]) -> TableScorer:
        """Return the weighted sum of the calibrated scores that the members give unknown users."""
        lengths = torch.tensor([len(history) for history in histories], dtype=torch.int64, device=self.device)
        return self._blended(histories, lengths)

    @torch.no_grad()
    def _blended(self, queries: Batch | Sequence[np.ndarray], events: Int[Tensor, "Q"]) -> TableScorer:
        """Add up in double precision, so that the order of the members does not matter."""
        weights = self.weights[torch.bucketize(events, self.edges)]
        alone = (weights != 0).sum(dim=1, keepdim=True) == 1
        calibrate, total = CALIBRATIONS[self.calibration], None
        for weight, scorer in self._scorers(queries, weights):
            scores = scorer.catalogue().float().to(self.device)
            scores = scores if alone.all() else torch.where(alone, scores, calibrate(scores))
            weighted = weight.double().unsqueeze(1) * scores
            total = weighted if total is None else total.add_(weighted)
        assert total is not None, "a blend has a weight above 0 in every group"
        return TableScorer(total.float())

    def _scorers(
        self, queries: Batch | Sequence[np.ndarray], weights: Float[Tensor, "Q M"]
    ) -> Iterator[tuple[Float[Tensor, "Q"], Scorer]]:
        """Yield the weight for each query and the Scorer of each member with a weight."""
        used = (weights != 0).any(dim=0).tolist() if len(weights) else [True] * len(self.members)
        for place, member in enumerate(self.parts):
            if used[place]:
                scorer = member.score(_cut(queries, member)) if isinstance(queries, Batch) else member.fold_in(queries)
                yield weights[:, place], scorer


def _history_length(model: Model) -> int:
    """Length of the histories that a model reads; 0 if it reads none."""
    return int(getattr(model, "history_length", 0))


def _cut(batch: Batch, model: Model) -> Batch:
    """Return the queries with the histories that a member reads, its latest items."""
    length = _history_length(model)
    history = None if batch.history is None or length == 0 else batch.history[:, -length:]
    return Batch.of_users(batch.user, history)

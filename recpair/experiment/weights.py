"""Calibration and weights of a blend, chosen on the validation part."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.evaluation.activity import activity_edges
from recpair.evaluation.blending import (
    DEPTH,
    PER_RANK,
    Weights,
    WeightSearch,
    candidates_of,
    normalised,
)
from recpair.evaluation.evaluator import Evaluation, Evaluator
from recpair.evaluation.names import only_metric
from recpair.experiment.loading import load_stored
from recpair.experiment.members import content_of, model_section
from recpair.models import Blend, Model
from recpair.models.calibration import Calibration
from recpair.registry import options_in
from recpair.run.run import Run

logger = logging.getLogger("recpair")


@dataclass(frozen=True)
class Choice:
    """Calibration and weights of a blend.

    Attributes:
        edges: ends of all but the last group of users, in training events.
        weights: weights of the members in each group.
        readings: number of weight vectors that were measured on the validation part, without single members.
    """

    calibration: Calibration
    edges: np.ndarray
    weights: Sequence[Weights]
    value: float
    readings: int = 0

    def record(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        weights = [list(each) for each in self.weights]
        chosen = {"calibration": self.calibration, "readings": self.readings}
        return chosen | {"edges": self.edges.tolist(), "weights": weights}

    def model(self, train: Interactions, parts: Sequence[Model], sections: Sequence[dict[str, Any]]) -> Blend:
        """Return the blend of the parts."""
        made = Blend(train, parts, members=sections, calibration=self.calibration, groups=len(self.weights))
        made.weights.copy_(torch.tensor(self.weights, dtype=torch.float32))
        made.edges.copy_(torch.from_numpy(self.edges))
        made.eval()
        return made

    def on(self, before: Splits, after: Splits) -> "Choice":
        """Return the choice for a larger training part: the ends of the groups move to the same shares of the users."""
        users = np.unique(before.valid.user)
        old, new = (np.diff(splits.train.indptr)[users] for splits in (before, after))
        places = [int((old <= edge).sum()) - 1 for edge in self.edges]
        return replace(self, edges=np.sort(new)[places].astype(np.int64))


@dataclass(frozen=True)
class Selection:
    """Members of a blend, the best one on the validation part first, and what was chosen there.

    Attributes:
        valids: validation metrics of each member.
        valid: validation metrics of the blend.
    """

    runs: Sequence[Run]
    valids: Sequence[dict[str, float]]
    choice: Choice
    valid: dict[str, float]


def select(
    runs: Sequence[Run],
    splits: Splits,
    evaluator: Evaluator,
    metric: str,
    kinds: Sequence[Calibration],
    groups: int,
    weights: Sequence[float] | None,
) -> Selection:
    """Sort the members by their validation metric, and choose their weights; a blend below the best member is that member.

    Args:
        evaluator: evaluator of the validation part.
        weights: weights of the runs to use, in their order; None to choose them.
    """
    found = [(evaluator.evaluate(run.model), place) for place, run in enumerate(runs)]
    found.sort(key=lambda each: (-each[0].means[metric], content_of(runs[each[1]])))
    valids, order = [valid for valid, _ in found], [place for _, place in found]
    runs = [runs[place] for place in order]
    given = None if weights is None else normalised([weights[place] for place in order])

    parts, searched = [run.model for run in runs], Evaluator(splits.train, splits.valid, **_single(runs[0], metric))
    chosen = choose(parts, valids, searched, metric, kinds, groups, given)
    valid = evaluator.evaluate(chosen.model(splits.train, parts, [model_section(run) for run in runs]))
    if given is None and valid.means[metric] < valids[0].means[metric]:
        logger.info("no blend has a better validation %s than %s", metric, runs[0].folder)
        alone = normalised(np.arange(len(runs)) == 0)
        chosen, valid = replace(chosen, weights=[alone] * len(chosen.weights)), valids[0]
    return Selection(runs, [each.means for each in valids], chosen, valid.means)


def choose(
    parts: Sequence[Model],
    valids: Sequence[Evaluation],
    evaluator: Evaluator,
    metric: str,
    kinds: Sequence[Calibration],
    groups: int,
    given: Weights | None = None,
) -> Choice:
    """Return the calibration and the weights with the best metric on the held-out events of an evaluator.

    Args:
        parts: the models of the members.
        valids: evaluation of each part on the held-out events.
        evaluator: evaluator of the metric only.
        kinds: calibrations to choose from; the first one is kept if others are not better.
        given: weights to use in all groups, without a search.
    """
    events = np.diff(evaluator.train.indptr)
    edges = activity_edges(events[evaluator.users], groups)
    group = np.searchsorted(edges, events, side="left")
    inside = [group[evaluator.users] == g for g in range(len(edges) + 1)]
    readings, best = 0, None
    for kind in kinds:
        weights, total = [], 0.0
        for g, mask in enumerate(inside):
            own = evaluator.on(evaluator.held_out.select(group[evaluator.held_out.user] == g))
            alone = [float(valid.per_user[metric].to_numpy()[mask].mean()) for valid in valids]
            blocks = candidates_of(parts, own, kind, max(DEPTH, PER_RANK * evaluator.cutoffs[-1]))
            search = WeightSearch(own, metric, blocks, alone)
            found, value = (given, search.value(given)) if given is not None else search.run()
            readings += search.readings
            weights.append(found)
            total += value * int(mask.sum()) / len(mask)
        logger.info("%s: validation %s %.4f", kind, metric, total)
        if best is None or total > best.value:
            best = Choice(kind, edges, weights, total)
    assert best is not None
    return replace(best, readings=readings)


def _single(run: Run, metric: str) -> dict[str, Any]:
    """Return the options of an evaluator of one metric."""
    section = load_stored(run.config, tolerant=True)["evaluate"]
    return options_in(only_metric(section, metric), Evaluator)

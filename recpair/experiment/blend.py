"""Blends: runs of one split, combined with weights that are chosen on the validation part."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import torch

from recpair import files
from recpair.boundary import boundary
from recpair.comparison.significance import paired
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, RunError, shown
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
from recpair.evaluation.names import name_of, parse_metric
from recpair.experiment.evaluate import same_splits
from recpair.experiment.load import load
from recpair.experiment.loading import load_stored
from recpair.experiment.members import content_of, metric_of, model_section, record_of, require_members, sections_of
from recpair.experiment.prepare import evaluators_of
from recpair.experiment.titles import title
from recpair.experiment.tracked import data_record
from recpair.models import Blend, Model
from recpair.models.calibration import CALIBRATIONS, Calibration
from recpair.models.popularity import Popularity
from recpair.registry import options_in
from recpair.run.advice import advice
from recpair.run.asked import choice, is_list
from recpair.run.blended import summary
from recpair.run.folder import METRICS
from recpair.run.output import Output, State
from recpair.run.report import Outcome, RunReport
from recpair.run.run import Run
from recpair.training.progress import Progress

logger = logging.getLogger("recpair")

AUTO = "auto"


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


@boundary
def blend(
    runs: Sequence[str | Path | Run],
    out: str | Path,
    *,
    metric: str | None = None,
    calibration: str = AUTO,
    groups: int = 1,
    weights: Sequence[float] | None = None,
    data: Any = None,
    plugins: Sequence[str | ModuleType] = (),
) -> Run:
    """Blend finished runs of one split: a weighted sum of their calibrated scores, saved as a run of the model ``blend``.

    The weights maximise a metric on the validation part (``evaluation.blending.WeightSearch``). The blend is evaluated
    once on the test part, and compared with the best member there by a paired test; the best member is the one with the
    best validation metric. ``run.metrics["blend"]`` holds members, weights and test. The blend holds its members, so
    their folders are not needed to use it.

    Args:
        runs: runs, their folders or MLflow run ids; their order has no effect.
        out: the run folder to write. An earlier run there is kept, as by ``fit``.
        metric: the validation metric, by default ``evaluate.monitor`` of the runs.
        calibration: ``z_score``, ``rank`` or ``log_softmax`` (``models.calibration``); ``auto`` chooses on the
            validation part.
        groups: number of groups of users by training events, of equal size, with their own weights.
        weights: weights of the runs, in their order; nothing but the calibration is chosen then.
        data: the events, if the runs were trained on events in memory.
        plugins: modules of components from outside recpair that the runs use, as for ``load``.

    Raises:
        RunError: the runs have different data, splits or evaluations, or were trained on the validation events.
        ConfigError: the metric, the calibration, the groups or the weights are invalid.
    """
    _check(runs, calibration, groups, weights)
    output = Output(Path(out).expanduser())
    opened = [run if isinstance(run, Run) else load(run, plugins=plugins) for run in runs]
    require_members(opened, output.final)
    metric = metric_of(opened, metric)
    with output.locked():
        output.plan(resume=False)
        started = time.perf_counter()
        splits = same_splits(opened[0], load_stored(opened[0].config, tolerant=True), data)
        splits = replace(splits, items=opened[0].items) if splits.items is None else splits
        load_seconds = time.perf_counter() - started
        return _blend_into(output, opened, splits, metric, calibration, groups, weights, load_seconds)


def _blend_into(
    output: Output,
    runs: Sequence[Run],
    splits: Splits,
    metric: str,
    calibration: str,
    groups: int,
    weights: Sequence[float] | None,
    load_seconds: float,
) -> Run:
    measuring = evaluators_of(load_stored(sections_of(runs, metric, "z_score", 1, output.final)), splits)
    assert measuring.valid is not None
    assert measuring.test is not None
    found = [(measuring.valid.evaluate(run.model), place) for place, run in enumerate(runs)]
    found.sort(key=lambda each: (-each[0].means[metric], content_of(runs[each[1]])))
    valids, order = [valid for valid, _ in found], [place for _, place in found]
    runs, parts = [runs[place] for place in order], [runs[place].model for place in order]
    given = None if weights is None else normalised([weights[place] for place in order])

    searched = Evaluator(splits.train, splits.valid, **_single(runs[0], metric))
    kinds = [kind for kind in CALIBRATIONS if calibration in (AUTO, kind)]
    chosen = choose(parts, valids, searched, metric, kinds, groups, given)
    sections = [model_section(run) for run in runs]
    model = chosen.model(splits.train, parts, sections)
    valid = measuring.valid.evaluate(model)
    if given is None and valid.means[metric] < valids[0].means[metric]:
        logger.info("no blend has a better validation %s than %s", metric, runs[0].folder)
        alone = normalised(np.arange(len(runs)) == 0)
        chosen = replace(chosen, weights=[alone] * len(chosen.weights))
        model, valid = chosen.model(splits.train, parts, sections), valids[0]

    config = load_stored(sections_of(runs, metric, chosen.calibration, len(chosen.weights), output.final))
    test, popular = measuring.test.evaluate(model), Popularity.fitted(splits.train)
    floor, valid_floor = (each.evaluate(popular, vectors_of=model) for each in (measuring.test, measuring.valid))
    outcome = Outcome(model, Progress(), valid.means, test, floor, load_seconds, valid_floor=valid_floor.means)
    warnings = advice(outcome, metric, 0, "none", None)
    for warning in warnings:
        logger.warning(warning)
    members = [record_of(run, each.means) for run, each in zip(runs, valids, strict=True)]
    compared = {"members": members, "paired": _paired(test, splits, runs[0], metric)}
    record = {"metric": metric} | chosen.record() | compared
    written = {"data": data_record(splits, config["data"] | {"split": config["split"]}), "warnings": warnings}
    metrics = outcome.metrics() | written | {"blend": record, "mlflow_run_id": None}
    output.start(config.to_yaml(), splits.fingerprint, State.EMPTY)
    named, details = title(config, splits.name), summary(metrics)
    report = RunReport(output.work, named, metric, splits, outcome, warnings, config.notes, details)
    report.write(measuring.test)
    files.write_json(output.work / METRICS, metrics)
    output.complete()
    return Run.open(output.work)


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


def _paired(test: Evaluation, splits: Splits, best: Run, metric: str) -> dict[str, float]:
    """Compare the test metric of each user with that of the best member."""
    users = splits.train.vocabulary.users.of(test.per_user["user"].to_numpy()).alias("user_id")
    ours = pl.DataFrame([users, test.per_user[metric]]).sort("user_id")[metric].to_numpy()
    return asdict(paired(ours, best.per_user.sort("user_id")[metric].to_numpy()))


def _single(run: Run, metric: str) -> dict[str, Any]:
    """Return the options of an evaluator of one metric."""
    name, cutoff = parse_metric(metric, "metric")
    section = load_stored(run.config, tolerant=True)["evaluate"]
    entry = next((entry for entry in section["metrics"] if name_of(entry) == name), name)
    return options_in(section, Evaluator) | {"metrics": [entry], "cutoffs": [cutoff]}


def _check(runs: Any, calibration: Any, groups: Any, weights: Any) -> None:
    """Raise an error for arguments that are invalid whatever the runs are."""
    if not is_list(runs):
        raise RunError(f"runs is {shown(runs)}; expected a list of at least two runs")
    choice(calibration, "calibration", [AUTO, *CALIBRATIONS])
    if not isinstance(groups, int) or isinstance(groups, bool) or not 1 <= groups <= 100:
        raise ConfigError(f"groups is {shown(groups)}; expected a number from 1 to 100")
    if weights is None:
        return
    if groups > 1:
        raise ConfigError(f"weights are the same for all users, but groups is {groups}; drop one of them")
    valid = is_list(weights) and all(isinstance(w, int | float) and math.isfinite(w) and w >= 0 for w in weights)
    if not valid or len(weights) != len(runs) or not any(weights):
        raise ConfigError(
            f"weights is {shown(weights)}; expected a number from 0 for each of the {len(runs)} runs, not all of them 0"
        )

"""Blends: runs of one split, combined with weights that are chosen on the validation part."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from recpair import files
from recpair.boundary import boundary
from recpair.comparison.significance import paired
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, RunError, shown
from recpair.evaluation.evaluator import Evaluation
from recpair.experiment.evaluate import same_splits
from recpair.experiment.gather import Member, fitted, gathered
from recpair.experiment.loading import load_stored
from recpair.experiment.members import metric_of, record_of, require_members, sections_of
from recpair.experiment.prepare import evaluators_of
from recpair.experiment.refit import refitted, require_refittable
from recpair.experiment.titles import title
from recpair.experiment.tracked import data_record
from recpair.experiment.weights import Selection, select
from recpair.models.calibration import CALIBRATIONS
from recpair.models.popularity import Popularity
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


@boundary
def blend(
    runs: Sequence[Member],
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    metric: str | None = None,
    calibration: str = AUTO,
    groups: int = 1,
    weights: Sequence[float] | None = None,
    refit: bool = False,
    data: Any = None,
    plugins: Sequence[str | ModuleType] = (),
) -> Run:
    """Blend finished runs of one split: a weighted sum of their calibrated scores, saved as a run of the model ``blend``.

    The weights maximise a metric on the validation part (``evaluation.blending.WeightSearch``). The blend is evaluated
    once on the test part, and compared with the best member there by a paired test; the best member is the one with the
    best validation metric. ``run.metrics["blend"]`` holds members, weights and test. The blend holds its members, so
    their folders are not needed to use it.

    With ``refit``, each member is then trained again on the training and the validation events (``experiment.refit``),
    and these members are blended with the same weights. The paired test is with the best member trained again.

    Args:
        runs: runs, their folders or MLflow run ids; their order has no effect. A config (a file, a dict of sections or a
            Config) is fitted first, into ``OUT.members/NAME``.
        out: the run folder to write. An earlier run there is kept, as by ``fit``.
        overrides: ``section.key=value`` strings for every config among the runs.
        metric: the validation metric, by default ``evaluate.monitor`` of the runs.
        calibration: ``z_score``, ``rank`` or ``log_softmax`` (``models.calibration``); ``auto`` chooses on the
            validation part.
        groups: number of groups of users by training events, of equal size, with their own weights.
        weights: weights of the runs, in their order; nothing but the calibration is chosen then.
        refit: whether to train the members again on the training and the validation events.
        data: the events, if the runs were trained on events in memory.
        plugins: modules of components from outside recpair that the runs use, as for ``load``.

    Raises:
        RunError: the runs have different data, splits or evaluations, were trained on the validation events, or cannot
            be trained again.
        ConfigError: the metric, the calibration, the groups, the weights or a config are invalid.
    """
    _check(runs, calibration, groups, weights)
    output = Output(Path(out).expanduser())
    members = gathered(runs, output.final, overrides, metric, plugins)
    with output.locked():
        output.plan(resume=False)
        opened = [fitted(each, data) for each in members]
        require_members(opened, output.final)
        metric = metric_of(opened, metric)
        if refit:
            require_refittable(opened)
        started = time.perf_counter()
        splits = _parts(opened[0], data)
        load_seconds = time.perf_counter() - started
        measuring = evaluators_of(load_stored(sections_of(opened, metric, "z_score", 1, output.final)), splits)
        assert measuring.valid is not None
        kinds = [kind for kind in CALIBRATIONS if calibration in (AUTO, kind)]
        selected = select(opened, splits, measuring.valid, metric, kinds, groups, weights)
        if not refit:
            return _write(output, selected, selected.runs, splits, metric, load_seconds)
        with refitted(selected.runs, output.final, data) as again:
            whole = _parts(again[0], data)
            moved = replace(selected, choice=selected.choice.on(splits, whole))
            return _write(output, moved, again, whole, metric, load_seconds)


def _parts(run: Run, data: Any) -> Splits:
    """Return the parts that a run was trained and tested on, with its item table if the data has none."""
    splits = same_splits(run, load_stored(run.config, tolerant=True), data)
    return replace(splits, items=run.items) if splits.items is None else splits


def _write(
    output: Output,
    selected: Selection,
    members: Sequence[Run],
    splits: Splits,
    metric: str,
    load_seconds: float,
) -> Run:
    """Test the blend, compare it with the best member, and write the run folder.

    Args:
        members: the runs whose models are blended: those of the selection, or the same trained again.
        splits: the parts that the members were trained and are tested on.
    """
    runs, chosen, refit = selected.runs, selected.choice, members is not selected.runs
    sections = sections_of(runs, metric, chosen.calibration, len(chosen.weights), output.final)
    sections["evaluate"]["monitor"] = None if refit else metric
    config = load_stored(sections)
    measuring = evaluators_of(config, splits)
    assert measuring.test is not None
    model = chosen.model(splits.train, [run.model for run in members], sections["model"]["members"])
    test, popular = measuring.test.evaluate(model), Popularity.fitted(splits.train)
    floor = measuring.test.evaluate(popular, vectors_of=model)
    valid, valid_floor = {}, {}
    if measuring.valid is not None:
        valid, valid_floor = selected.valid, measuring.valid.evaluate(popular, vectors_of=model).means
    outcome = Outcome(model, Progress(), valid, test, floor, load_seconds, valid_floor=valid_floor)
    warnings = advice(outcome, metric, 0, "none", None)
    for warning in warnings:
        logger.warning(warning)
    record = {"metric": metric, "refit": refit, "valid": selected.valid} | chosen.record()
    record["members"] = [
        record_of(run, valid, used.metrics) for run, valid, used in zip(runs, selected.valids, members, strict=True)
    ]
    record["paired"] = _paired(test, splits, members[0], metric)
    written = {"data": data_record(splits, config["data"] | {"split": config["split"]}), "warnings": warnings}
    metrics = outcome.metrics() | written | {"blend": record, "mlflow_run_id": None}
    output.start(config.to_yaml(), splits.fingerprint, State.EMPTY)
    named, details = title(config, splits.name), summary(metrics)
    report = RunReport(output.work, named, metric, splits, outcome, warnings, config.notes, details)
    report.write(measuring.test)
    files.write_json(output.work / METRICS, metrics)
    output.complete()
    return Run.open(output.work)


def _paired(test: Evaluation, splits: Splits, best: Run, metric: str) -> dict[str, float]:
    """Compare the test metric of each user with that of the best member."""
    users = splits.train.vocabulary.users.of(test.per_user["user"].to_numpy()).alias("user_id")
    ours = pl.DataFrame([users, test.per_user[metric]]).sort("user_id")[metric].to_numpy()
    return asdict(paired(ours, best.per_user.sort("user_id")[metric].to_numpy()))


def _check(runs: Any, calibration: Any, groups: Any, weights: Any) -> None:
    """Raise an error for arguments that are invalid whatever the runs are."""
    if not is_list(runs):
        raise RunError(f"runs is {shown(runs)}; expected a list of at least two runs")
    if len(runs) < 2:
        raise RunError("expected at least two runs to blend")
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

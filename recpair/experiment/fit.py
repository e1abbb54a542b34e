"""Training of a run: the composition root of the package.

Only this level uses a whole config; the components below it receive plain arguments.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recpair import files, processes
from recpair.boundary import boundary
from recpair.config import Config
from recpair.data.splitting import Splits
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluation, Evaluator
from recpair.experiment.build import Components, build
from recpair.experiment.earlier import Earlier
from recpair.experiment.fallback import with_available_data
from recpair.experiment.folds import has_folds, several_folds
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import Evaluators, Prepared
from recpair.experiment.resume import Begun, begin
from recpair.experiment.titles import components as components_of
from recpair.experiment.titles import title
from recpair.experiment.tracked import close_run, data_record, open_run, reconcile, tracker_of
from recpair.integrations import BLEND
from recpair.models import MODELS, FittedModel
from recpair.models.popularity import Popularity
from recpair.notebook import in_notebook, progress
from recpair.plugins import assignments
from recpair.registry import options_in
from recpair.run import refitted
from recpair.run.advice import advice
from recpair.run.folder import METRICS
from recpair.run.folds import Folds
from recpair.run.manifest import CHECKPOINT
from recpair.run.output import Output, State
from recpair.run.report import Outcome, RunReport
from recpair.run.run import Run
from recpair.seeds import isolated
from recpair.training.checkpoint import Checkpoint
from recpair.training.inspection import event_losses, held_out_losses, pool_losses
from recpair.training.launch import launch, require_machine
from recpair.training.log import Log, MultiLog
from recpair.training.loop import train
from recpair.training.progress import Progress

if TYPE_CHECKING:
    from recpair.training.launch import Fabric


logger = logging.getLogger("recpair")


@boundary
def fit(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    model: Any = None,
    loss: Any = None,
    denoise: Any = None,
    hard_negatives: Any = None,
    terms: Sequence[Any] | None = None,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    log: Log | None = None,
    tags: Mapping[str, str] | None = None,
) -> Run | Any:
    """Train, evaluate, track and save one run, or a run per fold of the split ``rolling``.

    Returns the run. For folds it returns ``recpair.Folds``, whose ``metrics`` are means over the folds, ``summary`` has
    intervals, and ``runs`` are the runs.

    Args:
        config: a path, a dict of sections, or a Config.
        overrides: ``section.key=value`` strings.
        model, loss, denoise, hard_negatives, terms: these sections in place of those of the config. A component is given
            by name, as a class or function, or as a dict with ``name`` (any of these) and options; see ``plugins``.
        data: events in memory instead of the config section data: a polars or pandas frame,
            Interactions, or a scipy matrix of users × items.
        items: the item table of ``data``.
        resume: continue from the checkpoint in the output folder, if any.
        log: receives the metrics of each epoch. By default, notebooks show a progress bar and the notes; elsewhere the
            notes go to the logger ``recpair``.
        tags: additional tags of the MLflow run.

    Raises:
        RecpairError: the config, the data or the output folder is invalid; the message has one line.
    """
    given = assignments(model=model, loss=loss, denoise=denoise, hard_negatives=hard_negatives, terms=terms)
    named, config = config, load_config(config, [*given, *overrides])
    config = with_available_data(config, named) if data is None else config
    return fit_config(config, data=data, items=items, resume=resume, log=log, tags=tags)


def fit_config(
    config: Config,
    *,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    log: Log | None = None,
    tags: Mapping[str, str] | None = None,
    earlier: Earlier | None = None,
) -> Run | Any:
    """``fit`` with a checked config; ``earlier`` is that of ``fit_into``, for a config without folds."""
    shown = log is None and in_notebook()
    bar = progress(config["train"]["epochs"], config["evaluate"]["monitor"]) if shown else nullcontext(log)
    if has_folds(config):
        several = several_folds(fit_into, config, data=data, items=items, tags=tags)
        with bar as log:
            return Folds(Path(config["output"]), several.fit(data, items, resume, log))
    output = Output(Path(config["output"]), config["output_keep"])
    with output.locked() if processes.is_first() else nullcontext(), bar as log:
        return fit_into(output, config, data=data, items=items, resume=resume, log=log, tags=tags, earlier=earlier)


def fit_into(
    output: Output,
    config: Config,
    *,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    log: Log | None = None,
    tags: Mapping[str, str] | None = None,
    prepared: Prepared | None = None,
    trial: bool = False,
    earlier: Earlier | None = None,
) -> Run:
    """``fit`` with a checked config and an output folder that is locked by the caller.

    Args:
        prepared: the data and the evaluators of the config, if they are in memory already.
        trial: whether this is a trial of a search: the test part is not read, and nothing is drawn.
        earlier: the run that the model starts from and is compared with (``refit``).
    """
    _refuse_blend(config)
    require_machine(config["train"]["device"])
    _require_loop(config)
    for note in config.notes:
        logger.info(note)
    prepared = Prepared.of(config, data, items) if prepared is None else prepared
    splits, evaluators = prepared.splits, prepared.evaluators
    evaluators = Evaluators(evaluators.valid, None) if trial else evaluators

    fabric = launch(**options_in(config["train"], launch))
    begun = fabric.broadcast(begin(output, config, splits.fingerprint, resume) if fabric.is_global_zero else None)
    if begun.finished:
        return _finished(output, config, begun, fabric)
    output.work = begun.folder
    with fabric.rank_zero_first():  # the first rank writes the cache of the semantic stage
        components = build(config, splits)
    for evaluator in filter(None, (evaluators.valid, evaluators.test)):
        evaluator.check(components.model)
    if earlier is not None:
        earlier.prepare(config, splits, components.model)

    checkpoint = Checkpoint(output.work / CHECKPOINT, splits.fingerprint)
    training = trainer(config, components, splits, evaluators, fabric, checkpoint, resume)
    seed = config["train"]["seed"]
    if fabric.is_global_zero:
        output.start(config.to_yaml(), splits.fingerprint, begun.state)
        if earlier is not None:
            earlier.note(output.work)
    fabric.barrier()  # all ranks read the same checkpoint
    if not fabric.is_global_zero:  # other ranks train, but write nothing
        with isolated(seed):
            training(MultiLog())
        fabric.barrier()
        return Run.open(output.work if output.member else output.final)

    with tracker_of(config["tracking"]) as tracker:
        record = data_record(splits, config["data"] | {"split": config["split"]})
        parts, resumed = components_of(config), begun.state is not State.EMPTY
        open_run(tracker, output, parts, config.flat(), record, resumed, tags or {})
        logs = MultiLog([tracker] if log is None else [log, tracker])
        outcome = _learn(components, splits, evaluators, training, logs, seed, prepared.seconds)
        warnings = _warnings(config, outcome)
        metrics = outcome.metrics() | {"data": record, "warnings": warnings, "mlflow_run_id": tracker.run_id}
        details = []
        if earlier is not None:
            metrics["refit"] = earlier.compare(config, splits, outcome.model)
            details = refitted.summary(metrics)
        named, monitor = title(config, splits.name), config["evaluate"]["monitor"]
        report = RunReport(output.work, named, monitor, splits, outcome, warnings, config.notes, details)
        report.write(evaluators.test, draw=not trial)
        files.write_json(output.work / METRICS, metrics)
        output.complete()
        close_run(tracker, output.work, metrics, model=not trial)
    del components, training, outcome, report  # free memory before the run is loaded
    fabric.barrier()
    return Run.open(output.work)


def _finished(output: Output, config: Config, begun: Begun, fabric: "Fabric") -> Run:
    """Return a run that needs no more training; the first rank completes its record in MLflow."""
    logger.info("%s is already finished", output.final)
    run = Run.open(begun.folder)
    if fabric.is_global_zero:
        with tracker_of(config["tracking"]) as tracker:
            reconcile(tracker, run, components_of(config), config.flat())
    return run


def trainer(
    config: Config,
    components: Components,
    splits: Splits,
    evaluators: Evaluators,
    fabric: "Fabric",
    checkpoint: Checkpoint,
    resume: bool,
) -> Callable[[Log], Progress]:
    """Training loop as a function of the log, the same on all ranks."""

    def run(log: Log) -> Progress:
        assert components.objective is not None
        assert components.sampler is not None
        return train(
            components.objective,
            components.sampler,
            lambda: _validate(config, components, splits, evaluators.valid),
            config["evaluate"]["monitor"],
            checkpoint,
            log,
            fabric,
            resume,
            **options_in(config["train"], train),
        )

    return run


def _learn(
    components: Components,
    splits: Splits,
    evaluators: Evaluators,
    training: Callable[[Log], Progress],
    log: Log,
    seed: int,
    load_seconds: float,
) -> Outcome:
    """Train or fit the model, and evaluate that of the best epoch on the test part."""
    model, objective, sampler = components.model, components.objective, components.sampler
    pool = losses = None
    with isolated(seed):
        if isinstance(model, FittedModel):
            model.fit(splits.train)
            progress, valid = Progress(), evaluators.valid.evaluate(model).means if evaluators.valid else {}
        if objective is not None and sampler is not None:
            progress = training(log)
            valid = {
                name.removeprefix("valid/"): value
                for epoch, name, value in progress.history
                if epoch == progress.best_epoch and name.startswith("valid/")
            }
            if objective.memory is not None:
                pool = pool_losses(objective, sampler, progress.best_epoch, seed)
                losses = event_losses(objective, splits.train, seed)
    test = floor = Evaluation.of_nothing()
    popular = Popularity.fitted(splits.train)
    if evaluators.test is not None:
        test, floor = evaluators.test.evaluate(model), evaluators.test.evaluate(popular, vectors_of=model)
    valid_floor = evaluators.valid.evaluate(popular, vectors_of=model).means if evaluators.valid else {}
    return Outcome(model, progress, valid, test, floor, load_seconds, losses, pool, valid_floor)


def _warnings(config: Config, outcome: Outcome) -> list[str]:
    """Log the warnings about the result, and return them for the report."""
    if config["evaluate"]["trim"]:  # the means of the model are those of the trimmed part
        outcome = replace(outcome, valid={})
    train = config["train"]
    found = advice(outcome, config["evaluate"]["monitor"], train["epochs"], train["decay"], config["model"].get("init"))
    for warning in found:
        logger.warning(warning)
    return found


def _validate(config: Config, components: Components, splits: Splits, evaluator: Evaluator | None) -> dict[str, float]:
    """Mean validation metrics, without the share ``evaluate.trim`` of events with the highest loss."""
    if evaluator is None:
        return {}
    trim = config["evaluate"]["trim"]
    if trim > 0:
        assert components.objective is not None
        losses = held_out_losses(components.objective, splits.valid, splits.train, config["train"]["seed"])
        evaluator = evaluator.on(splits.valid.select(losses <= np.quantile(losses, 1 - trim)))
    return evaluator.evaluate(components.model).means


def _refuse_blend(config: Config) -> None:
    """Raise a ConfigError for a blend, whose members are finished runs."""
    if config["model"]["name"] == BLEND:
        raise ConfigError("model.name is blend, which is made from finished runs; use recpair blend RUN RUN --out RUN")


def _require_loop(config: Config) -> None:
    """Raise a ConfigError if several processes are to train a model that is closed-form or not one of ``MODELS``."""
    name = config["model"]["name"]
    if processes.in_all() > 1 and (name not in MODELS or issubclass(MODELS[name], FittedModel)):
        raise ConfigError(f"model {name} trains in one process only; start it without torchrun")

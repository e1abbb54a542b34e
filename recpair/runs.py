"""Operations on runs and data other than fitting: load, evaluate, export, track, embed."""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from recpair import processes, raw_config
from recpair.boundary import boundary
from recpair.building import retrieved_of
from recpair.config import Config
from recpair.data.fingerprint import same_kind
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, DataError, RunError, shown
from recpair.evaluation.evaluator import Evaluation
from recpair.experiment import evaluators_of, fit_into, prepare
from recpair.integrations.atomic import write_atomic
from recpair.models.popularity import Popularity
from recpair.plugins import import_modules
from recpair.redaction import redacted
from recpair.report.compare import summarise_seeds
from recpair.report.tracked import close_seeds, open_run, reconcile_seeds, tracker_of, upload
from recpair.resuming import Begun, begin
from recpair.schema import components, differences, load_config, load_stored
from recpair.semantics import Describer
from recpair.semantics.display import latest, near_history, near_item, titles
from recpair.semantics.progress import Report, silent
from recpair.semantics.prompting import estimates
from recpair.semantics.store import folder_of
from recpair.serving.asked import id_column, is_list
from recpair.serving.output import Output, State
from recpair.serving.run import Run
from recpair.serving.run_folder import CONFIG, SEEDS, RunFolder
from recpair.serving.trained_ids import TrainedIds
from recpair.tracking.mlflow_tracker import MlflowTracker
from recpair.tracking.store import RUN_ID, download, page
from recpair.training.log import Log

logger = logging.getLogger("recpair")
CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME")
NAMED_FILES = ("semantics.path", "semantics.model", "describe.item_prompt", "describe.history_prompt")
MONITOR = "evaluate.monitor"  # determines the training events


@boundary
def load(run: str | Path, *, plugins: Sequence[str | ModuleType] = (), uri: str | None = None) -> Run:
    """Load a finished run from its folder or by its MLflow run id; the data set is not needed.

    Args:
        plugins: modules of components from outside recpair that the run uses; no other module that the run folder names
            is imported. Without the modules of its loss, terms or denoiser, a run can recommend.

    Raises:
        RunError: a file is missing or damaged, the config has unknown keys, the store does not have the run id, or the
            model is of a module that ``plugins`` does not name.
        ConfigError: a module of ``plugins`` cannot be imported.
    """
    named = import_modules(plugins)
    if isinstance(run, str) and RUN_ID.fullmatch(run) and not Path(run).exists():
        run = download(run, uri)
    opened = Run.open(run, named)
    try:
        for note in load_stored(opened.config, tolerant=True).notes:
            logger.info(note)
    except ConfigError as error:
        raise RunError(f"{opened.folder / CONFIG}: {error}") from None
    return opened


@boundary
def fit_seeds(
    config: str | Path | Mapping[str, Any] | Config,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
    *,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    log: Log | None = None,
) -> dict[str, Any]:
    """Train one run per ``train.seed``, in ``<output>/seed-<n>``; return mean and standard deviation of each test metric.

    The result (runs, and test by metric) is also written to ``<output>/seeds.json``. In MLflow, the runs are
    children of one parent run.

    Raises:
        ConfigError: seeds are missing, duplicate or invalid, or there are several processes.
    """
    if not is_list(seeds) or len(seeds) == 0 or len({*map(str, seeds)}) != len(seeds):
        raise ConfigError(f"seeds are {shown(seeds)}; expected a list of distinct seeds")
    if processes.in_all() > 1:
        raise ConfigError("several seeds train one after another in one process; start them without torchrun")
    checked = load_config(config, overrides)
    output = Output(Path(checked["output"]), checked["output_keep"])
    members = {
        f"seed-{seed}": load_config(
            checked, [f"train.seed={seed}", f"output={json.dumps(str(output.final / f'seed-{seed}'))}"]
        )
        for seed in seeds
    }
    with output.locked():
        begun = begin(output, checked, None, resume, seeds=True)
        if begun.state is State.COMPLETE:
            summary = _finished_seeds(begun, list(members))
            with tracker_of(checked["tracking"]) as parent:
                reconcile_seeds(parent, begun.folder, summary)
            return summary
        output.start(checked.to_yaml(), None, begun.state)
        record = {"name": output.final.name, "fingerprint": "see the children", "source": {}, "sizes": {}}
        with tracker_of(checked["tracking"]) as parent:
            tags = {"seeds": ",".join(map(str, seeds))}
            open_run(parent, output, components(checked), checked.flat(), record, begun.state is not State.EMPTY, tags)
            inherited = {} if parent.run_id is None else {"mlflow.parentRunId": parent.run_id}
            for name, member in members.items():
                inner = output.below(name)
                fit_into(inner, member, data=data, items=items, resume=resume, log=log, tags=inherited)
            summary = summarise_seeds(output.work, list(members))
            output.complete()
            close_seeds(parent, output.work, summary)
    return summary


def _finished_seeds(begun: Begun, members: list[str]) -> dict[str, Any]:
    """Return the summary of a finished run with several seeds."""
    summary = RunFolder.open(begun.folder).json(SEEDS)
    if not begun.finished or summary.get("runs") != members:
        raise ConfigError(
            f"{begun.folder} is complete with the runs {', '.join(map(str, summary.get('runs', [])))[:200]}; "
            f"choose another output for other seeds or more epochs"
        )
    logger.info("%s is already finished", begun.folder)
    return summary


@boundary
def evaluate(run: Run, overrides: Sequence[str] = (), *, data: Any = None) -> tuple[Evaluation, Evaluation]:
    """Evaluate a run and the most popular items on the test part again; ``evaluate.*`` may be overridden.

    Raises:
        RunError: the data differs from that of the run, or has no test part.
    """
    _require_run(run)
    config = load_stored(run.config, overrides)
    changed = differences(load_stored(run.config), config)
    if changed := [key for key in changed if key == MONITOR or not key.startswith(("evaluate", "data"))]:
        raise ConfigError(f"{changed[0]} cannot change after training; override evaluate.… or data.… only")
    splits = _same_splits(run, config, data)
    test = evaluators_of(config, splits).test
    if test is None:
        raise RunError(
            f"{run.folder} was trained on every event (split.name: whole); no test events are left to evaluate it on"
        )
    return test.evaluate(run.model), test.evaluate(Popularity.fitted(splits.train), vectors_of=run.model)


@boundary
def export(run: Run, folder: str | Path) -> list[Path]:
    """Write a run's data as RecBole's atomic files to ``folder``, the name of the data set; return the paths.

    If the data set of the run's config can be read and is unchanged, the non-empty parts train, valid and test are
    separate files (RecBole's ``benchmark_filename``); otherwise only the training events are written, with a note.

    Raises:
        RunError: the folder is not empty.
    """
    _require_run(run)
    parts = {"train": run.recommender.train}
    try:
        splits = _same_splits(run, load_stored(run.config), None)
        parts |= {name: part for name, part in (("valid", splits.valid), ("test", splits.test)) if len(part)}
    except (ConfigError, DataError, RunError) as reason:
        logger.info("only the training events are exported; the other parts cannot be read: %s", reason)
    return write_atomic(Path(folder), parts, run.items)


def _require_run(run: object) -> None:
    if not isinstance(run, Run):
        raise RunError(f"expected a Run returned by recpair.fit or recpair.load, got {shown(run)}")


def _same_splits(run: Run, config: Config, data: Any) -> Splits:
    """Read the data set of a run again and split it.

    Raises:
        RunError: the data differs from that of the run.
    """
    splits, trained_on = prepare(config, data), run.metrics["data"]["fingerprint"]
    if not same_kind(splits.fingerprint, trained_on):
        logger.info("%s is a run of an earlier version of recpair; its data cannot be checked for changes", run.folder)
    elif splits.fingerprint != trained_on:
        raise RunError(
            f"the data of {config['data']['source'] or config['data']['path']}, or its split, differs from that of "
            f"{run.folder} (fingerprint {splits.fingerprint}, then {trained_on}); restore it or train again"
        )
    return splits


@boundary
def track(run: Run, *, uri: str | None = None) -> str | None:
    """Upload a finished run to MLflow; return its MLflow run id, or None if the store is unavailable.

    Raises:
        ConfigError: no ``uri`` is given, and the config of the run folder, which may be untrusted, names a server to
            which MLflow would send the user's credentials.
    """
    _require_run(run)
    config = load_stored(run.config, tolerant=True)
    section = dict(config["tracking"] or {})
    named = section.get("uri")
    if uri is None and named and "://" in named and not named.startswith(("sqlite:", "file:")):
        held = [variable for variable in CREDENTIALS if os.environ.get(variable)]
        if held and named != os.environ.get("MLFLOW_TRACKING_URI"):
            raise ConfigError(
                f"tracking.uri in the config of {run.folder} names a server, and ${held[0]} would be sent to it; "
                f"give the address with --uri"
            )
    with MlflowTracker(**(section | ({"uri": uri} if uri else {}))) as tracker:
        return upload(tracker, run, components(config), config.flat())


def tracking_page(config: Config) -> list[str]:
    """Return how to open the tracked runs of a config: a command unless the store is a server, and the URL."""
    tracker = MlflowTracker(**(config["tracking"] or {}))
    store, runs = redacted(tracker.uri), page(tracker.uri, tracker.experiment)
    if store.startswith(("http:", "https:")):
        return [runs or store]
    return [f"mlflow ui --backend-store-uri {store}", *([runs] if runs else [])]


@boundary
def embed(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = (), *, report: Report = silent
) -> list[tuple[str, str]]:
    """Run the semantic stage, cache its results, and return statistics of them as (name, value) rows.

    Raises:
        RecpairError: the config or the data is invalid, or an endpoint fails; the message has one line.
    """
    started = time.perf_counter()
    checked, splits = _semantic(config, overrides)
    found = retrieved_of(checked, splits, report)
    assert found is not None
    nearest = found.item_neighbours[:, 0]
    cosine = np.einsum("id,id->i", found.item_vectors, found.item_vectors[nearest])[nearest >= 0]
    return [
        ("items", f"{len(found.item_vectors):,}, {int(found.item_vectors.any(axis=1).sum()):,} with a vector"),
        ("vector length", str(found.item_vectors.shape[1])),
        ("cosine with the nearest item", f"{cosine.mean():.3f} in the mean"),
        ("training histories", f"{int((found.history_neighbours[:, 0] >= 0).sum()):,} with neighbours"),
        ("neighbours of each", str(checked["semantics"]["k"])),
        ("kept in", str(folder_of(checked["semantics"]["folder"], checked["output"]))),
        ("seconds", f"{time.perf_counter() - started:.1f}"),
    ]


@boundary
def semantic_estimates(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the language model requests of ``embed`` and their estimated cost, without sending any."""
    checked, splits = _semantic(config, overrides)
    if checked["describe"] is None:
        return [("a language model", "is not asked: the config has no section describe")]
    section = checked["semantics"]
    folder = folder_of(section["folder"], checked["output"])
    found = estimates(splits, Describer(**checked["describe"]), section["template"], folder)
    return [(what, str(estimate)) for what, estimate in found.items()]


@boundary
def neighbours(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    item: Any = None,
    user: Any = None,
    report: Report = silent,
    of_run: bool = False,
) -> tuple[str, pl.DataFrame]:
    """Return title and table of the nearest neighbours of an item, or of a user's history before the last training event.

    Args:
        of_run: whether the config is that of a run folder, which may be untrusted: no endpoint is called, and files or
            models named in the folder are opened only if an override names them too.

    Raises:
        UnknownIdError: the item does not exist, or the user has no training event.
        ConfigError: the config of the run folder names a file or a model.
        EndpointError: a response of an endpoint is not cached.
    """
    if of_run:
        config = load_stored(_sections(config), overrides)
        _refuse_named_files(config, overrides)
        overrides = ()
    checked, splits = _semantic(config, overrides)
    train, ids = splits.train, splits.vocabulary
    asked = ids.items.indices([item])[0] if user is None else _trained_user(train, user)
    found = retrieved_of(checked, splits, report, closed=of_run)
    assert found is not None
    names = titles(splits.items, ids.items)
    if user is None:
        return f"Nearest to {item}: {names[asked]}", near_item(found, train, splits.items, int(asked))
    row = int(train.indptr[asked + 1]) - 1
    return f"Nearest to {user}: {latest(train, names, row)}", near_history(found, train, splits.items, row)


def _sections(config: str | Path | Mapping[str, Any] | Config) -> Mapping[str, Any]:
    """Return the raw sections of a config."""
    if isinstance(config, Config):
        return config.sections
    return raw_config.read(config) if isinstance(config, str | Path) else config


def _trained_user(train: Interactions, user: Any) -> int:
    """Index of a user with a training event."""
    return int(TrainedIds(train).require("user", id_column([user], "user_id"))[0])


def _refuse_named_files(config: Config, overrides: Sequence[str]) -> None:
    """Raise a ConfigError for a file or model of the semantic stage that is named only in the run folder."""
    given = [assignment.partition("=")[0].strip() for assignment in overrides]
    values = config.flat()
    for key in NAMED_FILES:
        asked = key in given or key.partition(".")[0] in given
        if (
            values.get(key) is not None
            and not asked
            and (key != "semantics.model" or values["semantics.name"] != "openai")
        ):
            raise ConfigError(
                f"{key} is {shown(values[key])} in the config of the run folder, which may be untrusted; repeat it "
                f"as an override to use it, {key}=…"
            )


def _semantic(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str]) -> tuple[Config, Splits]:
    """Return the config, with the default semantic stage if it has none, and its data."""
    checked = load_config(config, overrides)
    if checked["semantics"] is None:
        checked = load_config(checked, ["semantics={}"])
    return checked, prepare(checked)

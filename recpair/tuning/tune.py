"""Hyperparameter search: ``recpair tune``."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from recpair import processes
from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError, RecpairError, shown
from recpair.experiment.loading import load_config
from recpair.experiment.titles import components
from recpair.experiment.tracked import close_search, data_record, open_run, reconcile_search, tracker_of
from recpair.run.asked import is_list
from recpair.run.folder import SEARCH
from recpair.run.output import Output, State
from recpair.tuning.folder import BEST, TABLE, WINNER, open_search, require_complete, start_search
from recpair.tuning.parts import Part, parts_for, parts_of
from recpair.tuning.plan import Plan, load_plan
from recpair.tuning.report import compare_winners, final_values, write_overview, write_search
from recpair.tuning.search import Search, Workers, workers
from recpair.tuning.store import Store
from recpair.tuning.winner import evaluate_winner, seeds_of

logger = logging.getLogger("recpair")

Source = str | Path | Mapping[str, Any] | Config


@dataclass(frozen=True)
class Tuned:
    """Result of a search.

    Attributes:
        folder: the output folder.
        record: content of ``search.json``: by search, the metric, the space, the best trial and its test metrics.
    """

    folder: Path
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the search with the best validation metric."""
        searches = self.record["searches"]
        return str(max(searches, key=lambda name: searches[name]["best"]["value"]))

    @property
    def best(self) -> dict[str, Any]:
        """Best trial: number, value, values (by config key), and the value of the config as it is (``first``)."""
        return dict(self.record["searches"][self.name]["best"])

    @property
    def test(self) -> dict[str, Any]:
        """Mean and standard deviation over the seeds of each test metric of the winner; empty if it was not tested."""
        return dict(self.record["searches"][self.name]["test"])

    @cached_property
    def config(self) -> Config:
        """Config of the best trial (``best.yaml``)."""
        return load_config(self.folder / BEST)

    @cached_property
    def trials(self) -> pl.DataFrame:
        """One row per trial: search, trial, state, value, epochs, seconds, run, and a column per config key."""
        return pl.read_csv(self.folder / TABLE, infer_schema_length=None, glob=False)


@boundary
def tune(
    config: Source | Sequence[Source],
    overrides: Sequence[str] = (),
    *,
    space: Mapping[str, Any] | None = None,
    metric: str | None = None,
    trials: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    n_seeds: int | None = None,
    timeout: float | None = None,
    jobs: int = 1,
    storage: str | None = None,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
) -> Tuned:
    """Search the hyperparameters of a config on its validation part, then train and test the best with several seeds.

    The first trial is the config as it is. Trials do not read the test part. Several configs receive the same number of
    trials each, and their winners are compared by a paired test. The output folder, that of the first config, holds
    ``best.yaml``, ``trials.csv``, ``SUMMARY.md``, plots, a run folder per trial, and the runs of the winner.

    Args:
        config: a config as for ``fit``, or a list of them.
        overrides: ``section.key=value`` strings, for all configs.
        space, metric, trials, sampler, pruner, n_seeds: in place of those of the section ``tune`` (``tuning.plan.settings``).
        timeout: seconds after which no trial is started.
        jobs: trials that run at the same time, in processes of their own. The trials of one batch do not know each
            other's results, so the search depends on ``jobs``.
        storage: URL of an Optuna database; by default ``journal.log`` in the output folder.
        data, items: events and item table in memory, as for ``fit``.
        resume: continue an interrupted search, or add trials to a finished one.

    Raises:
        RecpairError: a config, the space, the data or the output folder is invalid.
    """
    require_optuna()
    _check(timeout, jobs)
    given = {"space": space, "metric": metric, "trials": trials, "sampler": sampler, "pruner": pruner}
    given["n_seeds"] = n_seeds
    sources: list[Any] = [*config] if is_list(config) else [config]  # type: ignore[misc]
    plans = {name: load_plan(each, overrides, given) for name, each in zip(names_of(sources), sources, strict=True)}
    name, first = next(iter(plans.items()))
    output = Output(Path(first.config["output"]), first.config["output_keep"])
    with output.locked():
        state = open_search(output, plans, resume)
        if state is State.COMPLETE:
            logger.info("%s is already finished", output.final)
            reconcile(output.final, first.config["tracking"])
            return opened(output.final)
        if resume and state is State.EMPTY:
            logger.info("%s holds no search yet; starting it", output.final)
        for each, plan in plans.items():
            for note in (*plan.config.notes, *plan.notes):
                logger.info("%s%s", f"{each}: " if len(plans) > 1 else "", note)
        with workers(jobs) as using:
            if len(plans) == 1:
                parts = parts_of(first.config, data, items)
                run_search(output, name, first, state, parts, using, timeout=timeout, storage=storage)
            else:
                _run_all(output, plans, state, using, timeout, storage, data, items)
    return opened(output.final)


def opened(folder: Path) -> Tuned:
    """Open the folder of a complete search."""
    return Tuned(folder, require_complete(folder).json(SEARCH))


def reconcile(folder: Path, tracking: Mapping[str, Any] | None) -> None:
    """Complete the tracked runs of complete searches if the process was killed before doing so."""
    searches = require_complete(folder).json(SEARCH)["searches"]
    with tracker_of(tracking) as tracker:
        for name, record in searches.items():
            inner = folder / name if (folder / name / SEARCH).is_file() else folder
            reconcile_search(tracker, inner, final_values(record))


def _run_all(
    output: Output,
    plans: Mapping[str, Plan],
    state: State,
    using: Workers,
    timeout: float | None,
    storage: str | None,
    data: Any,
    items: Any,
) -> None:
    """Run one search per config, below the output folder, and compare the winners."""
    ready = {name: parts_of(plan.config, data, items) for name, plan in plans.items()}
    require_comparable(ready)
    start_search(output, plans, state)
    records = {}
    for name, plan in plans.items():
        inner = output.below(name)
        own = open_search(inner, {name: plan}, resume=state is not State.EMPTY)
        each = None if timeout is None else timeout / len(plans)
        if own is not State.COMPLETE:
            run_search(inner, name, plan, own, ready[name], using, timeout=each, storage=storage)
        records[name] = require_complete(inner.work).json(SEARCH)["searches"][name]
    write_overview(output.work, records, compare_winners(output.work, records))
    output.complete()


def run_search(
    output: Output,
    name: str,
    plan: Plan,
    state: State,
    parts: Sequence[Part],
    using: Workers,
    *,
    timeout: float | None = None,
    storage: str | None = None,
    tags: Mapping[str, str] | None = None,
    until: int | None = None,
) -> Search:
    """Run one search in a folder that the caller has locked, and write its results.

    Args:
        tags: additional tags of the tracked runs.
        until: number of trials after which to return without results; None for all of the plan.
    """
    tags, splits = tags or {}, parts[0].prepared.splits
    store = Store(output.work, start_search(output, {name: plan}, state), storage)
    deadline = None if timeout is None else time.monotonic() + timeout
    with tracker_of(plan.config["tracking"]) as tracker:
        described = data_record(splits, plan.config["data"] | {"split": plan.config["split"]})
        params = plan.config.flat() | {f"tune.{key}": value for key, value in plan.record().items()}
        open_run(tracker, output, ["tune", *components(plan.config)], params, described, state is not State.EMPTY, tags)
        below = dict(tags) | ({} if tracker.run_id is None else {"mlflow.parentRunId": tracker.run_id})
        search = Search(plan, output, store, parts, below, deadline, name if output.member else "")
        search.run(using, until)
        if until is not None:
            return search
        best = best_config(search)
        summary: dict[str, Any] = {}
        if plan.n_seeds:
            seeds = seeds_of(best, plan.n_seeds)
            summary = evaluate_winner(output.below(WINNER), best, seeds, parts_for(parts, best), below, search.label)
        record = write_search(name, search, best, summary)
        output.complete()
        close_search(tracker, output.work, final_values(record))
    return search


def best_config(search: Search) -> Config:
    """Return the config of the best trial, with an output beside that of the search."""
    best, plan = search.best, search.plan
    return plan.trial(best.number, best.params, search.output.final.with_name(f"{search.output.final.name}-best"))


def names_of(sources: Sequence[Any]) -> list[str]:
    """Return a distinct folder name for each config: that of its file, or ``config``, numbered if repeated.

    Raises:
        ConfigError: ``sources`` is empty.
    """
    if not sources:
        raise ConfigError("config is an empty list; expected at least one config")
    names: list[str] = []
    for source in sources:
        stem = Path(source).stem if isinstance(source, str | Path) else "config"
        same = sum(name == stem or name.rpartition("-")[0] == stem for name in names)
        names.append(f"{stem}-{same + 1}" if same else stem)
    return names


def require_optuna() -> None:
    """Raise a RecpairError if Optuna is not installed, or a ConfigError in a distributed run."""
    if processes.in_all() > 1:
        raise ConfigError("a search runs in one process, with --jobs in several; start it without torchrun")
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise RecpairError("a search requires Optuna; install it with pip install 'recpair[tune]'") from None


def _check(timeout: Any, jobs: Any) -> None:
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout > 0):
        raise ConfigError(f"timeout is {shown(timeout)}; expected a number of seconds above 0")
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= 1000:
        raise ConfigError(f"jobs is {shown(jobs)}; expected a whole number from 1")


def require_comparable(ready: Mapping[str, Sequence[Part]]) -> None:
    """Raise a ConfigError unless all configs are tested on the same events in the same way."""
    first, *others = ready
    ours = ready[first][0].prepared.config["evaluate"]
    for name in others:
        theirs = ready[name][0].prepared.config["evaluate"]
        for key in ("mask_seen", "ideal", "gain", "monitor"):
            if ours[key] != theirs[key]:
                raise ConfigError(
                    f"evaluate.{key} is {shown(ours[key])} in {first} and {shown(theirs[key])} in {name}; configs that are "
                    f"compared have the same evaluation"
                )
        here, there = ([part.prepared.splits.test_fingerprint for part in ready[each]] for each in (first, name))
        if here != there:
            raise ConfigError(
                f"{first} and {name} have different test parts (data, filter or split differ); configs that are compared "
                f"have the same test part"
            )

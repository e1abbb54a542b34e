"""Comparison of methods at equal budget: ``recpair study``."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from recpair import files
from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.experiment.loading import load_config, search_section
from recpair.experiment.schema import STUDY
from recpair.run.folder import SEARCH
from recpair.run.manifest import read_json
from recpair.run.output import Output, State
from recpair.tuning.duration import duration, in_words
from recpair.tuning.folder import open_search, require_complete, start_search
from recpair.tuning.methods import Method, description, parse_methods, plans_of
from recpair.tuning.parts import Part, parts_for, parts_of
from recpair.tuning.plan import Plan
from recpair.tuning.search import Search, Workers, workers
from recpair.tuning.study_report import RESULTS, write_study
from recpair.tuning.tune import reconcile, require_comparable, require_optuna, run_search

logger = logging.getLogger("recpair")

TRIALS = 12  # of each method, without a budget
FEWEST = 2


@dataclass(frozen=True)
class Studied:
    """Result of a study.

    Attributes:
        folder: the output folder, with ``report.html``, ``report.md``, ``results.csv`` and ``results.tex``.
        record: content of ``search.json``.
    """

    folder: Path
    record: dict[str, Any]

    @cached_property
    def results(self) -> pl.DataFrame:
        """One row per method and noise level: validation and test metric, difference from the baseline, tests, costs."""
        return pl.read_csv(self.folder / RESULTS, infer_schema_length=None, glob=False)

    @property
    def verdict(self) -> list[str]:
        """Sentences on which method to use."""
        return list(self.record["verdict"])


@dataclass(frozen=True)
class Arm:
    """One method at one noise level."""

    method: Method
    noise: float
    plan: Plan
    name: str


@boundary
def study(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    methods: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    noise: Sequence[float] | None = None,
    trials: int | None = None,
    budget: str | None = None,
    n_seeds: int | None = None,
    jobs: int = 1,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
) -> Studied:
    """Compare methods with the config as it is, each with hyperparameters found by an equally long search.

    For each noise level, the baseline and each method have the same number of trials on the validation part. The best
    trial of each is trained with several seeds and tested once per seed. Differences from the baseline are tested over
    users by paired tests with Holm's correction.

    Args:
        config: a config as for ``fit``.
        overrides: ``section.key=value`` strings, for all methods.
        methods: names of denoisers, miners, losses, terms and models; ``section=name``; ``label: overrides``; paths of
            configs; or label → overrides. ``none`` is the config as it is, and is always included.
        noise, trials, n_seeds: in place of those of the section ``study`` (``tuning.methods.settings``).
        budget: time for everything, such as 60m, from which the number of trials follows.
        jobs, data, items: as for ``tune``.
        resume: continue an interrupted study.

    Raises:
        RecpairError: a config, a method, the data or the output folder is invalid.
    """
    require_optuna()
    given = {"methods": methods, "noise": noise, "trials": trials, "budget": budget, "n_seeds": n_seeds}
    section = settings_of(config, overrides, given)
    arms = arms_of(config, overrides, section)
    first = arms[0].plan.config
    output = Output(Path(first["output"]), first["output_keep"])
    plans = {arm.name: arm.plan for arm in arms}
    with output.locked():
        state = open_search(output, plans, resume)
        if state is State.COMPLETE:
            logger.info("%s is already finished", output.final)
            reconcile(output.final, first["tracking"])
            return opened(output.final)
        for note in first.notes:
            logger.info(note)
        with workers(jobs) as using:
            _run(output, arms, section, state, using, data, items)
    return opened(output.final)


def opened(folder: Path) -> Studied:
    """Open the folder of a complete study."""
    return Studied(folder, require_complete(folder).json(SEARCH))


def settings_of(config: Any, overrides: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked settings of a study: those of its section, replaced by the given ones.

    Raises:
        ConfigError: a setting is invalid or missing.
    """
    section = search_section(STUDY, config, overrides, given)
    named = [key for key in ("budget", "trials") if given.get(key) is not None]
    if len(named) == 1:  # in place of the other one in the config
        section["trials" if named == ["budget"] else "budget"] = None
    if section["trials"] is not None and section["budget"] is not None:
        raise ConfigError("trials and budget are both given; give the number of trials, or the time for everything")
    if section["budget"] is not None:
        duration(section["budget"], "budget")
    if not section["methods"]:
        raise ConfigError("methods is missing; name the methods to compare, such as none,pld,udt,dns")
    if len({*section["noise"]}) != len(section["noise"]) or not section["noise"]:
        raise ConfigError(f"noise is {shown(section['noise'])}; expected distinct shares, such as 0,0.2")
    return section


def arms_of(config: Any, overrides: Sequence[str], section: Mapping[str, Any]) -> list[Arm]:
    """Return the arms of a study: the methods in their order, for each noise level."""
    base = load_config(config, overrides)
    methods = parse_methods(section["methods"], base)
    trials = section["trials"] or (FEWEST if section["budget"] else TRIALS)
    plans = plans_of(methods, config, overrides, section["spaces"] or {}, trials, section["n_seeds"])
    arms = []
    for noise in section["noise"]:
        added = [f"noise.ratio={noise}"] if noise else []
        where = f"noise-{noise:g}/" if len(section["noise"]) > 1 else ""
        for method in methods:
            plan = plans[method.label]
            noisy = replace(plan, config=load_config(plan.config, added)) if added else plan
            arms.append(Arm(method, noise, noisy, f"{where}{method.folder}"))
    return arms


def _run(
    output: Output,
    arms: Sequence[Arm],
    section: Mapping[str, Any],
    state: State,
    using: Workers,
    data: Any,
    items: Any,
) -> None:
    """Run the first trial of each arm, decide on the number of trials, then the rest, the winners, and the report."""
    started = time.monotonic()
    ready: dict[str, Sequence[Part]] = {}
    for arm in arms:
        earlier = next((ready[each.name] for each in arms if each.noise == arm.noise and each.name in ready), None)
        config = arm.plan.config
        ready[arm.name] = parts_of(config, data, items) if earlier is None else parts_for(earlier, config)
    for noise in section["noise"]:
        require_comparable({arm.name: ready[arm.name] for arm in arms if arm.noise == noise})
    start_search(output, {arm.name: arm.plan for arm in arms}, state)
    record = read_json(output.work / SEARCH)
    announced = "announced_s" in record  # before an interruption
    number = section["trials"] or record["trials"] if announced else _announce(output, arms, section, ready, using)
    tuned = [replace(arm, plan=replace(arm.plan, trials=number)) for arm in arms if arm.plan.space]
    arms = [next((each for each in tuned if each.name == arm.name), arm) for arm in arms]  # others have one trial
    for arm in arms:
        _search(output, arm, ready[arm.name], using)
    record = read_json(output.work / SEARCH)
    done = {arm.name: require_complete(output.work / arm.name).json(SEARCH)["searches"][arm.name] for arm in arms}
    named = {arm.method.label: description(arm.method, arm.plan.config) for arm in arms}
    record |= {"methods": named, "searches": done, "seconds": round(time.monotonic() - started, 1)}
    files.write_json(output.work / SEARCH, record)
    write_study(output.work, [(arm.method.label, arm.noise, arm.name) for arm in arms], ready, record)
    output.complete()


def _announce(
    output: Output,
    arms: Sequence[Arm],
    section: Mapping[str, Any],
    ready: Mapping[str, Sequence[Part]],
    using: Workers,
) -> int:
    """Run the first trial of each arm, log how long the study will take, and return the number of trials of each arm."""
    seconds = {arm.name: _first_trial(output, arm, ready[arm.name], using) for arm in arms}
    one = sum(seconds.values())
    budget = None if section["budget"] is None else duration(section["budget"], "budget")
    seeds = section["n_seeds"]
    number = section["trials"] or TRIALS
    if budget is not None:
        number = int((budget - (1 + seeds) * one) / (one * SHORTER) + 1)
        if number < FEWEST:
            least = in_words((seeds + FEWEST) * one)
            raise ConfigError(
                f"budget is {section['budget']}, but {FEWEST} trials and {seeds} seeds of {len(arms)} methods take about "
                f"{least}; raise it, or give fewer methods"
            )
    left = (number - 1) * one * SHORTER / using.jobs + seeds * one
    until = datetime.now() + timedelta(seconds=left)
    logger.info(
        "%s trials and %s seeds of %s methods and %s noise levels: about %s more, until %s",
        number,
        seeds,
        len({arm.method.label for arm in arms}),
        len(section["noise"]),
        in_words(left),
        f"{until:%H:%M}",
    )
    record = read_json(output.work / SEARCH)
    record |= {"trials": number, "announced_s": round(one + left, 1), "first_trial_s": seconds}
    files.write_json(output.work / SEARCH, record)
    return number


SHORTER = 0.8  # mean time of a trial, of which some are pruned, in units of that of the first


def _first_trial(output: Output, arm: Arm, parts: Sequence[Part], using: Workers) -> float:
    """Run the first trial of an arm; return the seconds that it took, also if it was run before an interruption."""
    search = _search(output, arm, parts, using, until=1)
    assert search is not None, "an arm is complete only after the number of trials is known"
    return float(search.finished[0].user_attrs["seconds"])


def _search(output: Output, arm: Arm, parts: Sequence[Part], using: Workers, until: int | None = None) -> Search | None:
    """Run or continue the search of an arm, up to ``until`` trials; without it, also its winner and its report.

    Returns None if it is complete already.
    """
    inner = output.below(arm.name)
    state = open_search(inner, {arm.name: arm.plan}, resume=True)
    if state is State.COMPLETE:
        return None
    tags = {"study": output.final.name, "method": arm.method.label, "noise": f"{arm.noise:g}"}
    return run_search(inner, arm.name, arm.plan, state, parts, using, tags=tags, until=until)

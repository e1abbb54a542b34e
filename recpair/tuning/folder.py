"""Folder of a search: what was searched, whether it can be continued, and its results."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from recpair import files
from recpair.errors import ConfigError, RunError, shown
from recpair.experiment.loading import differences, load_stored
from recpair.run.folder import CONFIG, METRICS, SEARCH, SEEDS, RunFolder, read_config
from recpair.run.manifest import CHECKPOINT, Manifest, read_json
from recpair.run.output import LAST, Output, State
from recpair.tuning.plan import Plan
from recpair.tuning.store import JOURNAL

BEST, TABLE, COMPARISON, WINNER = "best.yaml", "trials.csv", "comparison.csv", "winner"
MAY_CHANGE = ("output", "tracking", "train.device")


def open_search(output: Output, plans: Mapping[str, Plan], resume: bool) -> State:
    """Choose the working folder of a search, and check that a resumed one is the same search.

    Returns:
        EMPTY for a new search, UNFINISHED for one to continue, COMPLETE for one that has all trials of the plans.

    Raises:
        RunError: the folder does not hold a search.
        ConfigError: the stored search has another space, config or sampler.
    """
    state = output.plan(resume)
    if state is State.EMPTY:
        return state
    there = output.work if state is State.UNFINISHED or output.member else output.final
    if not (there / SEARCH).is_file():
        if any((there / name).exists() for name in (METRICS, SEEDS, f"{CHECKPOINT}/{LAST}")):
            raise RunError(f"{there} holds a run, not a search; choose another output, or leave out --resume")
        return State.EMPTY  # killed before the search was recorded
    _require_same(there, plans)
    if state is State.COMPLETE and any(_needs_more(there, label, plan) for label, plan in plans.items()):
        _copy(there, output.work)
        return State.UNFINISHED
    return state


def start_search(output: Output, plans: Mapping[str, Plan], state: State) -> str:
    """Create the folder of a search, or record the new number of trials of a continued one.

    Returns:
        The name of the Optuna study: unique, and kept when the search is continued.
    """
    plan = next(iter(plans.values()))
    before = {} if state is State.EMPTY else read_json(output.work / SEARCH)
    output.start(plan.config.to_yaml(), None, State.EMPTY if state is State.EMPTY else State.UNFINISHED)
    records = {label: each.record() | {"trials": each.trials, "n_seeds": each.n_seeds} for label, each in plans.items()}
    study = before.get("study") or f"{output.final.name}-{output.identity[:8]}"
    files.write_json(output.work / SEARCH, {**before, "study": study, "searches": records})
    return str(study)


def require_complete(folder: Path) -> RunFolder:
    """Open the folder of a complete search.

    Raises:
        RunError: it does not exist, or is not complete.
    """
    opened = RunFolder.open(folder)
    if not opened.has(SEARCH):
        raise RunError(f"{folder} holds a run, not a search; give the output folder of recpair tune")
    return opened


def _require_same(there: Path, plans: Mapping[str, Plan]) -> None:
    records = read_json(there / SEARCH)["searches"]
    if list(records) != list(plans):
        raise ConfigError(
            f"{there} is a search of {', '.join(records)}, not of {', '.join(plans)}; choose another output"
        )
    for label, plan in plans.items():
        for key, value in plan.record().items():
            if records[label].get(key) != value:
                raise ConfigError(
                    f"tune.{key} is {shown(value)}, but {there} was started with {shown(records[label].get(key))}; a resumed "
                    f"search keeps it"
                )
    first = next(iter(plans.values()))
    stored = load_stored(read_config(there / CONFIG))
    changed = [key for key in differences(stored, first.config) if not key.startswith(MAY_CHANGE)]
    if changed:
        raise ConfigError(
            f"{changed[0]} is {shown(first.config.flat().get(changed[0]))}, but {there} was started with "
            f"{shown(stored.flat().get(changed[0]))}; a resumed search keeps its config"
        )


def _needs_more(there: Path, label: str, plan: Plan) -> bool:
    """Return True if a plan has more trials than a complete search, or another number of seeds."""
    record = read_json(there / SEARCH)["searches"][label]
    return bool(record["trials"] < plan.trials or record["n_seeds"] != plan.n_seeds)


def _copy(there: Path, work: Path) -> None:
    """Copy the trials of a complete search to the working folder; files that are only replaced become links."""
    if there == work:
        return
    manifest = Manifest.read(there)

    def copy(source: str, target: str) -> str:
        if Path(source).name != JOURNAL:
            try:
                os.link(source, target)
                return target
            except OSError:  # another device, or a file system without links
                pass
        return shutil.copy2(source, target)

    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(there, work, copy_function=copy)
    Manifest(None, replaces=None if manifest is None else manifest.id).write(work)

"""Resuming of runs, and the check that config and data are unchanged."""

import logging
from dataclasses import dataclass
from pathlib import Path

from recpair.config import Config
from recpair.data.fingerprint import same_kind
from recpair.errors import ConfigError, RunError, shown
from recpair.experiment.loading import differences, load_stored
from recpair.run.folder import CONFIG, METRICS, SEEDS, RunFolder, read_config
from recpair.run.manifest import CHECKPOINT, Manifest
from recpair.run.output import LAST, Output, State

logger = logging.getLogger("recpair")

FURTHER = ("train.epochs", "train.patience")  # keys that give a complete run more epochs
RATES = (
    "train.learning_rate",
    "train.clip_norm",
)  # effective from the next epoch; history.parquet has the rate of each epoch
MAY_CHANGE = ("output", "tracking", "train.epochs", "train.patience", "train.device", *RATES)


@dataclass(frozen=True)
class Begun:
    """Working folder of a fit, and its state.

    Attributes:
        folder: the working folder; that of the complete run if the run is finished.
        state: state of the run to resume.
        finished: whether the run is complete and needs no more training.
    """

    folder: Path
    state: State
    finished: bool = False


def begin(output: Output, config: Config, fingerprint: str | None, resume: bool, *, seeds: bool = False) -> Begun:
    """Choose the working folder, and check that a resumed run has the same config and the same data.

    Args:
        fingerprint: fingerprint of the data; None for several seeds or folds, which are checked one by one.
        seeds: whether the output is a run with several seeds.

    Raises:
        RunError: the output folder does not hold such a run, or the data has changed.
        ConfigError: a key differs that cannot change after training has begun.
    """
    state = output.plan(resume)
    folder = output.work
    if state is State.EMPTY:
        if resume:
            logger.info("%s holds no run yet; starting it", output.final)
        return Begun(folder, state)
    there = folder if state is State.UNFINISHED or output.member else output.final
    _require_kind(there, seeds)
    changed = changed_keys(there, config)
    if fingerprint is not None:
        require_same_data(there, fingerprint)
    rates = [key for key in RATES if key in changed]
    if state is State.COMPLETE and rates and not any(key in FURTHER for key in changed):
        raise ConfigError(
            f"{rates[0]} is {shown(config.flat()[rates[0]])}, but {there} is complete; raise train.epochs to continue "
            f"training, or train again without --resume"
        )
    more = any(key.startswith("train.") for key in changed)
    if state is State.COMPLETE and not more:
        return Begun(there, state, finished=True)
    return Begun(folder, state)


def changed_keys(folder: Path, config: Config) -> list[str]:
    """Return the keys of the config that differ from the config of the run in ``folder``.

    Raises:
        ConfigError: a key differs that cannot change after training has begun.
    """
    stored = load_stored(read_config(folder / CONFIG))
    changed = differences(stored, config)
    # The number of epochs changes the learning rate from the start if it decays over all epochs.
    may_change = tuple(key for key in MAY_CHANGE if key != "train.epochs" or config["train"]["decay"] == "none")
    if wrong := [key for key in changed if not key.startswith(may_change)]:
        raise ConfigError(
            f"{wrong[0]} is {config.flat().get(wrong[0])!r}, but {folder} was started with "
            f"{stored.flat().get(wrong[0])!r}; a resumed run keeps its config (except for {', '.join(may_change)})"
        )
    return changed


def require_same_data(folder: Path, fingerprint: str) -> None:
    """Raise a RunError if the run in ``folder`` was started with other data."""
    manifest = Manifest.read(folder)
    if manifest is not None:
        before = manifest.data
    elif (folder / METRICS).is_file():  # a run of an earlier version
        before = RunFolder.open(folder).metrics()["data"]["fingerprint"]
    else:
        before = None
    if before is None or not same_kind(before, fingerprint):
        logger.info("%s is of an earlier version of recpair; whether the data has changed cannot be checked", folder)
    elif before != fingerprint:
        raise RunError(
            f"the data has changed since {folder} was started (fingerprint {fingerprint}, then {before}); restore it, or "
            f"train again without --resume"
        )


def _require_kind(folder: Path, seeds: bool) -> None:
    """Raise a RunError if a single run is resumed as several seeds, or vice versa."""
    several = (folder / SEEDS).exists() or any(folder.glob("*seed-*/manifest.json"))
    one = (folder / METRICS).exists() or (folder / CHECKPOINT / LAST).exists()
    one = one or (not several and any(folder.glob("fold-*/manifest.json")))
    if (several and not seeds) or (one and seeds):
        holds, remedy = ("several seeds", "add --seeds") if several else ("a run of one seed", "leave out --seeds")
        raise RunError(f"{folder} holds {holds}; {remedy}, or choose another output")

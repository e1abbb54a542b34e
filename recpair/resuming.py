"""Whether a run can go on from its folder: the same config and the same data."""

import logging
from dataclasses import dataclass
from pathlib import Path

from recpair.config import Config
from recpair.data.fingerprint import same_kind
from recpair.errors import ConfigError, RunError, shown
from recpair.schema import differences, load_config
from recpair.serving.manifest import CHECKPOINT, Manifest
from recpair.serving.output import LAST, Output, State
from recpair.serving.run_folder import CONFIG, METRICS, SEEDS, RunFolder, read_config

logger = logging.getLogger("recpair")

FURTHER = ("train.epochs", "train.patience")  # give a complete run more epochs
RATES = ("train.learning_rate", "train.clip_norm")  # from the next epoch on; history.parquet has each epoch's rate
MAY_CHANGE = ("output", "tracking", "train.epochs", "train.patience", "train.device", *RATES)


@dataclass(frozen=True)
class Begun:
    """Where a fit writes, and what is there already.

    Attributes:
        folder: the working folder; that of the complete run if there is nothing left to do.
        state: of what is resumed.
        finished: the run is complete and is to stay as it is.
    """

    folder: Path
    state: State
    finished: bool = False


def begin(output: Output, config: Config, fingerprint: str | None, resume: bool, *, seeds: bool = False) -> Begun:
    """Choose the working folder, and check that a resumed run has the same config and the same data.

    Args:
        fingerprint: of the data; None for several seeds, each of which checks its own.
        seeds: whether the output is that of several seeds.

    Raises:
        RunError: the output folder holds something else, or the data has changed.
        ConfigError: a key differs that decides what the run is.
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
            f"{rates[0]} is {shown(config.flat()[rates[0]])}, but {there} is complete; raise train.epochs to train further "
            f"at it, or train anew without --resume"
        )
    more = any(key.startswith("train.") for key in changed)
    if state is State.COMPLETE and not more:
        return Begun(there, state, finished=True)
    return Begun(folder, state)


def changed_keys(folder: Path, config: Config) -> list[str]:
    """Keys of the config that differ from those that the run in ``folder`` was begun with.

    Raises:
        ConfigError: a key differs that decides what the run is.
    """
    stored = load_config(read_config(folder / CONFIG))
    changed = differences(stored, config)
    # A learning rate that decays over all epochs would have been another from the start.
    may_change = tuple(key for key in MAY_CHANGE if key != "train.epochs" or config["train"]["decay"] == "none")
    if wrong := [key for key in changed if not key.startswith(may_change)]:
        raise ConfigError(
            f"{wrong[0]} is {config.flat().get(wrong[0])!r}, but {folder} was begun with "
            f"{stored.flat().get(wrong[0])!r}; a resumed run keeps its config (but for {', '.join(may_change)})"
        )
    return changed


def require_same_data(folder: Path, fingerprint: str) -> None:
    """Raise a RunError if the run in ``folder`` was begun with other data."""
    manifest = Manifest.read(folder)
    if manifest is not None:
        before = manifest.data
    elif (folder / METRICS).is_file():  # of an earlier version
        before = RunFolder.open(folder).metrics()["data"]["fingerprint"]
    else:
        before = None
    if before is None or not same_kind(before, fingerprint):
        logger.info("%s is of an earlier version of recpair; that the data is the same cannot be checked", folder)
    elif before != fingerprint:
        raise RunError(
            f"the data has changed since {folder} was begun (fingerprint {fingerprint}, then {before}); restore it, or "
            f"train anew without --resume"
        )


def _require_kind(folder: Path, seeds: bool) -> None:
    """Raise a RunError if one run is resumed as several seeds, or the other way round."""
    several = (folder / SEEDS).exists() or any(folder.glob("seed-*/manifest.json"))
    one = (folder / METRICS).exists() or (folder / CHECKPOINT / LAST).exists()
    if (several and not seeds) or (one and seeds):
        holds, remedy = ("several seeds", "add --seeds") if several else ("a run of one seed", "leave out --seeds")
        raise RunError(f"{folder} holds {holds}; {remedy}, or choose another output")

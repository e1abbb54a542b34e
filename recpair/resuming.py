"""Whether a run can go on from its folder."""

import logging
from pathlib import Path

from recpair.config import Config
from recpair.errors import ConfigError
from recpair.schema import differences, load_config
from recpair.serving import run_folder as files
from recpair.serving.run import Run

logger = logging.getLogger("recpair")

RATES = ("train.learning_rate", "train.clip_norm")  # from the next epoch on; history.parquet has each epoch's rate
MAY_CHANGE = ("output", "tracking", "train.epochs", "train.patience", "train.device", *RATES)


def finished_run(folder: Path, config: Config) -> Run | None:
    """Check that ``--resume`` goes on with the same run; the run itself where it has already finished."""
    if not (folder / files.CONFIG).is_file():
        logger.info("%s holds no run yet; starting it", folder)
        return None
    stored = load_config(files.read_config(folder))
    changed = differences(stored, config)
    # A learning rate that decays over all epochs would have been another from the start.
    may_change = tuple(key for key in MAY_CHANGE if key != "train.epochs" or config["train"]["decay"] == "none")
    if wrong := [key for key in changed if not key.startswith(may_change)]:
        raise ConfigError(
            f"{wrong[0]} is {config.flat().get(wrong[0])!r}, but {folder} was begun with "
            f"{stored.flat().get(wrong[0])!r}; a resumed run keeps its config (but for {', '.join(may_change)})"
        )
    if (folder / files.METRICS).is_file() and not any(key.startswith("train.") for key in changed):
        logger.info("%s is already finished", folder)
        return Run.open(folder)
    return None

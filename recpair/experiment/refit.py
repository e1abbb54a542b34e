"""Members of a blend, trained again on the training and the validation events."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from recpair import files, raw_config
from recpair.config import Config
from recpair.errors import RunError
from recpair.experiment.fit import fit_into
from recpair.experiment.loading import load_stored
from recpair.integrations import BLEND
from recpair.run.output import Output
from recpair.run.run import Run

logger = logging.getLogger("recpair")


def refit_config(run: Run) -> Config:
    """Return the config of a run with the validation events in the training part.

    All settings are those of the run. A model that is trained by gradient descent is trained for as many epochs as the
    best one had; with ``train.decay``, the learning rate falls over these epochs.

    Raises:
        RunError: the run is a blend.
        ConfigError: a component of the run is unknown.
    """
    if run.config["model"]["name"] == BLEND:
        raise RunError(f"{run.folder} is a blend, which is not trained; to refit, blend its members")
    overrides = ["evaluate.monitor=null", "evaluate.trim=0", "tracking=null"]
    if epochs := run.metrics["best_epoch"]:
        overrides += [f"train.epochs={epochs}", "train.patience=null"]
    stored = run.folder.parent / ".semantics"
    if run.config.get("semantics") is not None and run.config["semantics"].get("folder") is None and stored.is_dir():
        overrides.append(
            raw_config.assignment("semantics.folder", str(stored))
        )  # descriptions by a language model cost money
    return load_stored(run.config, overrides)


def require_refittable(runs: Sequence[Run]) -> None:
    """Raise an error if a run cannot be trained again, before anything is computed."""
    for run in runs:
        refit_config(run)


@contextmanager
def refitted(runs: Sequence[Run], out: Path, data: Any = None) -> Iterator[list[Run]]:
    """Train runs again with ``refit_config``, and yield the results, in the order of the runs.

    They are run folders in ``.OUT.refit``, which is removed after the block. If the block fails or is interrupted, it
    is kept: the next call with the same runs continues the training of these members.
    """
    folder = out.with_name(f".{out.name}.refit")
    yield [_again(run, folder, data, f"{place} of {len(runs)}") for place, run in enumerate(runs, start=1)]
    files.remove_folder(folder)


def _again(run: Run, folder: Path, data: Any, place: str) -> Run:
    """Train a run again in a folder that is named by its config and its data."""
    config = refit_config(run)
    content = json.dumps([config.sections, run.metrics["data"]["fingerprint"]], sort_keys=True)
    name = f"{config['model']['name']}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    logger.info("training %s again, with the validation events (%s)", run.folder, place)
    config = replace(config, sections=config.sections | {"output": str(folder / name)})
    output = Output(folder / name, keep=0)
    begun = (folder / name).exists()  # by an interrupted call
    return fit_into(output, config, data=data, items=None if data is None else run.items, resume=begun)

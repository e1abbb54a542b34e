"""The composition root: one function that reads, top to bottom, as the story of a run.

It is the only place that sees a whole config; every component below it takes plain arguments.
"""

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recpair import config as configs
from recpair import report
from recpair.batch import Batch
from recpair.config import Config, Section
from recpair.contrast import TERMS
from recpair.data import SPLITS
from recpair.data.dataset import Dataset
from recpair.data.events import Events, read_data
from recpair.data.filtering import filter_events
from recpair.data.noise import add_noise
from recpair.data.splitting import Splits, apply_split
from recpair.denoising import DENOISERS
from recpair.errors import ConfigError, DataError, RunError
from recpair.evaluation.evaluator import Evaluation, Evaluator
from recpair.evaluation.metrics import parse_metric
from recpair.losses import LOSSES
from recpair.models import MODELS, FittedModel, GradientModel, Model
from recpair.models.popularity import Popularity
from recpair.sampling import SAMPLERS
from recpair.serving import run_folder as files
from recpair.serving.run import Run
from recpair.tracking.mlflow_tracker import MlflowTracker, download
from recpair.training.checkpoint import Checkpoint
from recpair.training.launch import launch
from recpair.training.loop import Log, train
from recpair.training.objective import Objective
from recpair.training.progress import Progress
from recpair.training.seeds import isolated

logger = logging.getLogger("recpair")


def monitoring(*, monitor: str = "ndcg@10") -> str:
    """The validation metric that chooses the epoch."""
    return monitor


SCHEMA: dict[str, Section] = {
    "data": Section(functions=(read_data,)),
    "filter": Section(functions=(filter_events,)),
    "split": Section(choices=SPLITS, default={"name": "ratio"}),
    "noise": Section(functions=(add_noise,), default=None),
    "sampler": Section(choices=SAMPLERS, default={"name": "pairs"}),
    "model": Section(choices=MODELS, default={"name": "mf"}),
    "loss": Section(choices=LOSSES, default={"name": "bpr"}),
    "denoise": Section(choices=DENOISERS, default=None),
    "contrast": Section(choices=TERMS, default=[], many=True),
    "train": Section(functions=(train, Objective, launch)),
    "evaluate": Section(functions=(Evaluator, monitoring)),
    "tracking": Section(functions=(MlflowTracker,)),
    "output": Section(value=str, default="runs/latest"),
}


@dataclass(frozen=True)
class Outcome:
    """What training and testing gave."""

    model: Model
    progress: Progress
    test: Evaluation
    floor: Evaluation
    timing: dict[str, float]


def load_config(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """A checked config from a file, a dict, or a Config; nothing else is read.

    Raises:
        ConfigError: a key is unknown or wrong, or sections contradict each other.
    """
    if isinstance(config, Config):
        config = config.sections
    raw = configs.read(config) if isinstance(config, str | Path) else dict(config)
    checked = configs.parse(configs.override(raw, overrides), SCHEMA)
    _refuse_contradictions(checked)
    return checked


def fit(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    data: Any = None,
    resume: bool = False,
    log: Log | None = None,
) -> Run:
    """Train, evaluate, track and save one run.

    Args:
        config: a path, a dict of sections, or a Config.
        overrides: ``section.key=value`` strings.
        data: events in memory in place of the config's data section: a polars or pandas frame.
        resume: go on from the output folder's checkpoint, if there is one.
        log: receives each epoch's numbers (the command line's progress bar).

    Raises:
        RecpairError: in one line, what is wrong with the config, the data or the output folder.
    """
    config = load_config(config, overrides)
    for note in config.notes:
        logger.info(note)
    folder = Path(config["output"])
    finished = _prepare_to_resume(folder, config) if resume else None
    if finished is not None:
        return finished

    started = time.perf_counter()
    splits = prepare(config, data)
    load_seconds = time.perf_counter() - started
    evaluators = _evaluators(config, splits)

    if not resume:
        _make_room(folder)
    files.write_text(folder / files.CONFIG, config.to_yaml())
    tracker = MlflowTracker(**config["tracking"]) if config["tracking"] is not None else None
    outcome = _learn(config, splits, evaluators, folder, resume, log)
    report.write_run_folder(folder, config, splits, outcome, load_seconds)
    if tracker is not None:
        report.track(tracker, folder)
    return Run.open(folder)

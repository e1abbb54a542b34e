"""Files of a run folder: names, writing, reading and checks."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from recpair import files, raw_config
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.errors import ConfigError, RunError
from recpair.run.manifest import CHECKPOINT, MANIFEST, Manifest, read_json

if TYPE_CHECKING:
    from recpair.models import Model

logger = logging.getLogger("recpair")

T = TypeVar("T")

CONFIG, METRICS, HISTORY = "config.yaml", "metrics.json", "history.parquet"
WEIGHTS, VOCABULARY, TRAIN = "model.safetensors", "vocabulary.parquet", "train.parquet"
ITEMS, USERS = "items.parquet", "users.parquet"
AUDIT, TRACKED = "audit.parquet", "mlflow_run_id"
SEEDS, FOLDS = "seeds.json", "folds.json"  # summaries of several runs in one folder
SEARCH = "search.json"
PER_USER, ENVIRONMENT, SUMMARY, PLOTS = "per_user.parquet", "environment.json", "SUMMARY.md", "plots"
PATIENCE = 2.0  # seconds to wait for another process that exchanges the folder


def write_model(folder: Path, model: "Model") -> None:
    """Write the state dict of a model as ``model.safetensors``."""
    files.write_tensors(folder / WEIGHTS, model.state_dict())


def write_training_data(folder: Path, train: Interactions, noise: np.ndarray | None) -> None:
    """Write the training events and the ids, so that the run can be loaded without the data set."""
    columns = {
        "user": train.user,
        "item": train.item,
        "time": train.time,
        "rating": train.rating,
        "weight": train.weight,
        "noise": noise,
    }
    files.write_frame(folder / TRAIN, pl.DataFrame({name: c for name, c in columns.items() if c is not None}))
    ids = {"user_id": [train.vocabulary.users.values], "item_id": [train.vocabulary.items.values]}
    files.write_frame(folder / VOCABULARY, pl.DataFrame(ids))


class DataRecord(BaseModel):
    """Record of the data in ``metrics.json``."""

    model_config = ConfigDict(extra="allow")
    name: str
    fingerprint: str


class MetricsRecord(BaseModel):
    """Parts of ``metrics.json`` that recpair reads; later versions may add others."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    valid: dict[str, float]
    test: dict[str, float]
    popularity: dict[str, float]
    timing: dict[str, float]
    best_epoch: int
    epochs: int
    data: DataRecord
    mlflow_run_id: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """Complete run folder; every file is verified against its checksum before use.

    Attributes:
        manifest: None for a run of an earlier version, which has no checksums.
    """

    path: Path
    manifest: Manifest | None

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open the folder of a complete run, or of several seeds or folds.

        Raises:
            RunError: the folder does not exist, or its run is not complete.
        """
        if not path.is_dir():
            raise RunError(f"run folder {path} does not exist; give the output folder of a fit, or an MLflow run id")
        manifest = Manifest.read(path)
        if (manifest is not None and not manifest.complete) or (manifest is None and is_unfinished(path)):
            raise RunError(f"{path} holds a run that did not finish: {METRICS} is missing; continue with --resume")
        return cls(path, manifest)

    def has(self, name: str) -> bool:
        """Return True if the folder has a file of this name."""
        return (self.path / name).is_file()

    def lists(self, name: str) -> bool:
        """Return True if the run was written with a file of this name."""
        return self.has(name) if self.manifest is None else name in self.manifest.files

    def file(self, name: str) -> Path:
        """Return the path of a file after verifying its checksum.

        Raises:
            RunError: the file is missing, or does not match its checksum.
        """
        path = self.path / name
        if not path.is_file():
            raise RunError(f"{path} is missing; copy the whole run folder or train again")
        if self.manifest is not None and not self.manifest.accepts(self.path, name):
            now = Manifest.read(self.path)
            if now is None or now.id != self.manifest.id:
                raise RunError(f"{self.path} now holds a different run than when it was opened; load it again")
            raise RunError(f"{path} does not match its checksum in {MANIFEST}; copy it again or train again")
        return path

    def groups(self) -> list[list[str]]:
        """Names of the runs in the folder of several seeds or folds: a list per fold; empty for one run."""
        if self.has(FOLDS):
            return [[str(name) for name in fold["runs"]] for fold in self.json(FOLDS)["folds"]]
        return [[str(name) for name in self.json(SEEDS)["runs"]]] if self.has(SEEDS) else []

    def members(self) -> list[str]:
        """Names of the runs in the folder of several seeds or folds; empty for one run."""
        return [name for names in self.groups() for name in names]

    def json(self, name: str) -> dict[str, Any]:
        """Read a JSON file."""
        return read_json(self.file(name))

    def metrics(self) -> dict[str, Any]:
        """Read ``metrics.json`` and check the parts that recpair uses."""
        values = self.json(METRICS)
        try:
            MetricsRecord.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise files.damaged(self.path / METRICS, f"{place}: {first['msg']}") from None
        return values

    def config(self) -> dict[str, Any]:
        """Read the effective config."""
        return read_config(self.file(CONFIG))

    def frame(self, name: str) -> pl.DataFrame:
        """Read a Parquet file."""
        path = self.file(name)
        try:
            return pl.read_parquet(path, glob=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise files.damaged(path, error) from None

    def training_data(self) -> Interactions:
        """Read the training events and ids written by ``write_training_data``, without the noise labels."""
        ids, events = self.frame(VOCABULARY), self.frame(TRAIN)
        whole = (events.schema.get(name, pl.Null).is_integer() for name in ("user", "item"))
        if events.is_empty() or not all(whole) or any(events.select("user", "item").null_count().row(0)):
            raise files.damaged(self.path / TRAIN, "expected rows of two whole numbers, user and item")
        try:
            vocabulary = Vocabulary(Ids("user", ids["user_id"][0]), Ids("item", ids["item_id"][0]))
            column = {name: events[name].to_numpy() for name in events.columns}
            rest = (column.get(name) for name in ("time", "rating", "weight"))
            return Interactions.from_indices(column["user"], column["item"], *rest, vocabulary=vocabulary)
        except (KeyError, IndexError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise files.damaged(self.path / TRAIN, error) from None

    def load_weights(self, model: "Model") -> None:
        """Load the weights of the model from ``model.safetensors``; nothing is unpickled."""
        path = self.file(WEIGHTS)
        tensors, _ = files.read_tensors(path)
        try:
            model.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise files.damaged(path, error) from None
        if any(not t.isfinite().all() for t in tensors.values() if t.is_floating_point()):
            raise RunError(f"{path} holds values that are not finite; train again")


def read_config(path: Path) -> dict[str, Any]:
    """Read the sections of a run's ``config.yaml``."""
    try:
        values = raw_config.read(path)
    except ConfigError as error:
        raise files.damaged(path, error) from None
    if not isinstance(values.get("output"), str):  # the last section
        raise files.damaged(path, "sections are missing")
    return values


def holding(groups: Sequence[Sequence[str]]) -> str:
    """Return the end of a message on a folder of several seeds or folds that is used as one run."""
    names = [name for group in groups for name in group]
    kind = "several seeds" if len(groups) == 1 else f"{len(groups)} folds"
    return f"holds {kind}; open one of its runs ({', '.join(names[-3:])})"


def is_unfinished(folder: Path) -> bool:
    """Return True if a folder without a manifest holds an interrupted run of an earlier version."""
    has = {name: (folder / name).exists() for name in (CONFIG, METRICS, SEEDS, CHECKPOINT)}
    return has[CONFIG] and has[CHECKPOINT] and not has[METRICS] and not has[SEEDS]


def consistent(path: Path, read: Callable[[RunFolder], T]) -> T:
    """Return the result of ``read`` from one run; reading is repeated if another process exchanges the folder meanwhile.

    Raises:
        RunError: a file is missing or damaged, and the folder has not changed.
    """
    until = time.monotonic() + PATIENCE
    while True:
        before = _identity(path)
        try:
            return read(RunFolder.open(path))
        except RunError:
            if time.monotonic() > until or (before is not None and before == _identity(path)):
                raise
            if before is None and not path.with_name(f"{path.name}.partial").exists():
                raise
        time.sleep(0.01)


def _identity(path: Path) -> tuple[int, bytes | None] | None:
    """Value that changes when a folder is exchanged or completed; None if the folder does not exist."""
    try:
        manifest = path / MANIFEST
        return path.stat().st_ino, manifest.read_bytes() if manifest.is_file() else None
    except OSError:
        return None

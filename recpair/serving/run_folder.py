"""What a run folder holds, and how it is written and read without losing anything.

Every file is written under a temporary name and renamed; ``metrics.json`` is written last, so a
folder that has it is complete.
"""

import itertools
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.errors import RunError
from recpair.models import Model

logger = logging.getLogger("recpair")

CONFIG, METRICS, HISTORY = "config.yaml", "metrics.json", "history.parquet"
WEIGHTS, VOCABULARY, TRAIN, ITEMS = "model.safetensors", "vocabulary.parquet", "train.parquet", "items.parquet"
AUDIT, SEEDS = "audit.parquet", "seeds.json"
PER_USER, ENVIRONMENT, SUMMARY, PLOTS, CHECKPOINT = (
    "per_user.parquet",
    "environment.json",
    "SUMMARY.md",
    "plots",
    "checkpoint",
)


def write(path: Path, writer: Callable[[Path], Any]) -> None:
    """Let ``writer`` fill a temporary file beside ``path``, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        writer(partial)
        partial.replace(path)
    except (OSError, pl.exceptions.PolarsError, SafetensorError) as error:
        raise RunError(f"cannot write {path}: {_reason(error)}; make room or choose another folder") from None
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    write(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes as they are."""
    write(path, lambda partial: partial.write_bytes(content))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a dict as indented JSON."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as Parquet."""
    write(path, frame.write_parquet)


def write_model(folder: Path, model: Model) -> None:
    """Write a model's state dict as ``model.safetensors``."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    write(folder / WEIGHTS, lambda partial: save_file(tensors, partial))


def write_training_data(folder: Path, train: Interactions, noise: np.ndarray | None) -> None:
    """The events that were trained on and the ids they stand for: enough to load without the data set."""
    columns = {
        "user": train.user,
        "item": train.item,
        "time": train.time,
        "rating": train.rating,
        "weight": train.weight,
        "noise": noise,
    }
    write_frame(folder / TRAIN, pl.DataFrame({name: c for name, c in columns.items() if c is not None}))
    ids = {"user_id": [train.vocabulary.users.values], "item_id": [train.vocabulary.items.values]}
    write_frame(folder / VOCABULARY, pl.DataFrame(ids))


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a run."""
    try:
        values = json.loads(_existing(folder, name).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _damaged(folder / name, error) from None
    return dict(values)


def read_config(folder: Path) -> dict[str, Any]:
    """Read a run's effective config."""
    try:
        values = yaml.safe_load(_existing(folder, CONFIG).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise _damaged(folder / CONFIG, error) from None
    if not isinstance(values, dict) or not values.get("output"):  # the last section
        raise _damaged(folder / CONFIG, "sections are missing")
    return values


def read_frame(folder: Path, name: str) -> pl.DataFrame:
    """Read a Parquet file of a run."""
    try:
        return pl.read_parquet(_existing(folder, name), glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(folder / name, error) from None


def read_training_data(folder: Path) -> Interactions:
    """Read back what ``write_training_data`` wrote, but for the noise labels."""
    ids = read_frame(folder, VOCABULARY)
    events = read_frame(folder, TRAIN)
    try:
        vocabulary = Vocabulary(Ids("user", ids["user_id"][0]), Ids("item", ids["item_id"][0]))
        column = {name: events[name].to_numpy() for name in events.columns}
        time, rating, weight = (column.get(name) for name in ("time", "rating", "weight"))
        return Interactions.from_indices(column["user"], column["item"], time, rating, weight, vocabulary=vocabulary)
    except (KeyError, pl.exceptions.PolarsError) as error:
        raise _damaged(folder / TRAIN, error) from None


def read_weights(folder: Path, model: Model) -> None:
    """Fill the model from ``model.safetensors``; nothing is unpickled."""
    path = _existing(folder, WEIGHTS)
    try:
        model.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise _damaged(path, error) from None
    if any(not torch.isfinite(t).all() for t in model.state_dict().values() if t.is_floating_point()):
        raise RunError(f"{path} holds values that are not finite; train again")


def make_room(folder: Path) -> None:
    """Move an earlier run aside, so that nothing is lost and nothing is mixed.

    Raises:
        RunError: the folder holds something that is no run, or cannot be moved.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / CONFIG).is_file():
        raise RunError(f"output {folder} exists and is no run folder; choose another output")
    number = next(n for n in itertools.count(1) if not folder.with_name(f"{folder.name}.{n}").exists())
    aside = folder.with_name(f"{folder.name}.{number}")
    try:
        folder.rename(aside)
    except OSError as error:
        raise RunError(f"output {folder} cannot be moved aside ({error.strerror}); choose another output") from None
    logger.info("the earlier run in %s is now %s", folder, aside)


def _existing(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise RunError(f"run folder {folder} does not exist; give the output folder of a fit, or an MLflow run id")
    path = folder / name
    if not path.is_file():
        unfinished = name == METRICS and (folder / CHECKPOINT).is_dir()
        todo = (
            "the run did not finish: go on with --resume" if unfinished else "copy the whole run folder or train again"
        )
        raise RunError(f"{path} is missing; {todo}")
    return path


def _damaged(path: Path, error: object) -> RunError:
    return RunError(f"{path} is truncated or damaged ({_reason(error)}); copy it again or train again")


def _reason(error: object) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:160]

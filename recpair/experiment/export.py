"""Export of runs to the formats of other systems."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recpair import files
from recpair.boundary import boundary
from recpair.errors import ConfigError, DataError, RunError, shown
from recpair.experiment.evaluate import same_splits
from recpair.experiment.load import require_run
from recpair.experiment.loading import load_stored
from recpair.integrations.atomic import write_atomic
from recpair.integrations.onnx.export import write_onnx
from recpair.integrations.vectors import write_vectors
from recpair.registry import nearest
from recpair.run.environment import versions
from recpair.run.run import Run
from recpair.tracking.pyfunc import write_model

logger = logging.getLogger("recpair")


@boundary
def export(run: Run, folder: str | Path, *, format: str = "recbole") -> list[Path]:
    """Write a run for another system to a new or empty folder; return the paths of the files.

    An interrupted export leaves nothing in the folder.

    Args:
        format: recbole (events and items as RecBole's atomic files), vectors (user and item vectors as Parquet, and a
            faiss index), onnx (the model as a graph that returns the k best items) or mlflow (an MLflow model folder).

    Raises:
        RunError: unknown format, the folder is not empty, a package is not installed, or the model cannot be exported
            in this format.
    """
    require_run(run)
    if not isinstance(format, str) or format not in FORMATS:
        known = ", ".join(FORMATS)
        hint = nearest(format, FORMATS) if isinstance(format, str) else ""
        raise RunError(f"format is {shown(format)}; expected one of {known}{hint}")
    with files.new_folder(Path(folder), "export to") as partial:
        FORMATS[format](run, partial, Path(folder).resolve().name)
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


def _recbole(run: Run, folder: Path, name: str) -> None:
    """Write the events of a run as RecBole's atomic files of the data set ``name``.

    If the data set of the run's config can be read and is unchanged, the non-empty parts train, valid and test are
    separate files (RecBole's ``benchmark_filename``); otherwise only the training events are written, with a note.
    """
    parts = {"train": run.recommender.train}
    try:
        splits = same_splits(run, load_stored(run.config), None)
        parts |= {part: events for part, events in (("valid", splits.valid), ("test", splits.test)) if len(events)}
    except (ConfigError, DataError, RunError) as reason:
        logger.info("only the training events are exported; the other parts cannot be read: %s", reason)
    write_atomic(folder, name, parts, run.items)


def _vectors(run: Run, folder: Path, name: str) -> None:
    write_vectors(folder, run.model, run.recommender.train, _origin(run))


def _onnx(run: Run, folder: Path, name: str) -> None:
    write_onnx(folder, run.model, run.recommender.train, _origin(run))


def _origin(run: Run) -> dict[str, Any]:
    """Return the model, the id of the run (None for a run of an earlier version) and the version of recpair."""
    manifest = run.files.manifest
    return {
        "model": run.config["model"]["name"],
        "run": None if manifest is None else manifest.id,
        "recpair": versions()["recpair"],
    }


def _mlflow(run: Run, folder: Path, name: str) -> None:
    """Write an MLflow model folder."""
    write_model(run.folder, folder, shutil.copyfile)


# Functions of the run, the folder to write to, and the name that the folder will have.
FORMATS: dict[str, Callable[[Run, Path, str], None]] = {
    "mlflow": _mlflow,
    "onnx": _onnx,
    "recbole": _recbole,
    "vectors": _vectors,
}

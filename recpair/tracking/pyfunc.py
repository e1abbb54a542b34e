"""MLflow models of runs: a folder with the files of the run, the code that answers requests, signature and requirements."""

import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml

from recpair import files
from recpair.plugins import modules_of
from recpair.run.environment import versions
from recpair.run.folder import AUDIT, ENVIRONMENT, HISTORY, PER_USER, PLOTS, SUMMARY, TRAIN, VOCABULARY, RunFolder
from recpair.run.manifest import MANIFEST, lasting_files
from recpair.run.run import Run
from recpair.tracking.store import quiet

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

NOT_SERVED = (AUDIT, HISTORY, PER_USER, SUMMARY)  # files of a run that recommendations do not need
CODE, LOADER = "served_model.py", "mlflow.pyfunc.loaders.code_model"
ARTIFACT = "artifacts/run"  # the files of the run, in the model
PIP, CONDA, PYTHON = "requirements.txt", "conda.yaml", "python_env.yaml"
EXAMPLE, REQUEST = "input_example.json", "serving_input_example.json"
EXAMPLE_HISTORY = 5  # items

Place = Callable[[Path, Path], Any]  # creates the second file with the content of the first


def save_model(run: Run, path: Path) -> None:
    """Write a run as an MLflow model folder, without a tracking store; ``mlflow models serve -m PATH`` serves it.

    Raises:
        RunError: ``path`` is not a new or empty folder, or cannot be written.
    """
    with files.new_folder(path, "write a model to") as partial:
        write_model(run.folder, partial, shutil.copyfile)


def write_model(folder: Path, target: Path, place: Place, **identity: str) -> None:
    """Write the MLflow model of a run folder into an empty folder.

    ``mlflow.pyfunc.save_model`` writes the same files, but copies those of the run twice and searches all installed packages
    for their versions, which takes a second.

    Args:
        place: copies or links a file of the run.
        identity: fields of ``mlflow.models.Model``: ``run_id``, ``model_id``, …
    """
    with quiet():
        from mlflow.models import Model
        from mlflow.pyfunc import add_to_model

    run = RunFolder.open(folder)
    config = run.config()
    for name in served_files(folder):
        (target / ARTIFACT / name).parent.mkdir(parents=True, exist_ok=True)
        place((folder / name).resolve(), target / ARTIFACT / name)
    shutil.copyfile(Path(__file__).parent / CODE, target / CODE)
    write_environment(target, requirements(run, config))
    model = Model(**identity, signature=_signature(run))
    model.saved_input_example_info = _write_example(run, target)
    add_to_model(
        model,
        loader_module=LOADER,
        model_code_path=CODE,
        model_config={"plugins": modules_of(config, "model")},
        artifacts={"run": {"path": ARTIFACT, "uri": "run"}},
        conda_env=CONDA,
        python_env=PYTHON,
        streamable=False,
    )
    model.model_size_bytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    model.save(str(target / "MLmodel"))


def write_environment(target: Path, pinned: list[str]) -> None:
    """Write the requirements in the three forms that MLflow reads: for pip, for virtual environments and for conda."""
    python = platform.python_version()
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": pinned}],
    }
    virtual = {"python": python, "build_dependencies": ["pip", "setuptools", "wheel"], "dependencies": [f"-r {PIP}"]}
    (target / PIP).write_text("\n".join(pinned), encoding="utf-8")
    (target / CONDA).write_text(yaml.safe_dump(conda, sort_keys=False), encoding="utf-8")
    (target / PYTHON).write_text(yaml.safe_dump(virtual, sort_keys=False), encoding="utf-8")


def served_files(folder: Path) -> list[Path]:
    """Relative paths of the files that recommendations need."""
    needed = [name for name in lasting_files(folder) if name.parts[0] != PLOTS and str(name) not in NOT_SERVED]
    return [*needed, *([Path(MANIFEST)] if (folder / MANIFEST).is_file() else [])]


def link(source: Path, target: Path) -> None:
    """Create a symbolic link; a copy if the system does not allow links."""
    try:
        os.symlink(source, target)
    except OSError:  # Windows allows links to administrators only
        shutil.copyfile(source, target)


def requirements(run: RunFolder, config: dict[str, Any]) -> list[str]:
    """Pinned requirements: MLflow as it is installed, and the versions that the run was trained with."""
    from mlflow.version import VERSION

    found = run.json(ENVIRONMENT).get("versions", {}) if run.has(ENVIRONMENT) else versions()
    borrowed = str(config.get("model", {}).get("name")).startswith("recbole/")
    pinned = {name: v for name, v in found.items() if v is not None and (borrowed or name != "recbole")}
    return [f"{name}=={str(v).partition('+')[0]}" for name, v in {**pinned, "mlflow": VERSION}.items()]


def _signature(run: RunFolder) -> "ModelSignature":
    """Columns and parameters of requests; ids are numbers or text, as in ``recommend``."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

    text = run.frame(VOCABULARY).schema["item_id"] == pl.List(pl.String)
    rows = Schema([ColSpec(AnyType(), name, required=False) for name in ("user_id", "history")])
    item = DataType.string if text else DataType.long
    lists = Schema([ColSpec(Array(item), "item_id"), ColSpec(Array(DataType.double), "score")])
    parameters = [
        ParamSpec("k", "long", 10),
        ParamSpec("exclude_seen", "boolean", True),
        ParamSpec("on_unknown", "string", "raise"),
        ParamSpec("items", "string", [], (-1,)),
        ParamSpec("exclude", "string", [], (-1,)),
    ]
    return ModelSignature(rows, lists, ParamSchema(parameters))


def _write_example(run: RunFolder, target: Path) -> dict[str, str]:
    """Write a request with a user of the run and a history, and return its description."""
    user, history = example_ids(run)
    rows = {"columns": ["user_id", "history"], "data": [[user, None], [None, history]]}
    parameters = {"k": 1, "exclude_seen": True}
    files.write_json(target / EXAMPLE, {"inputs": rows, "params": parameters})
    files.write_json(target / REQUEST, {"dataframe_split": rows, "params": parameters})
    described = {"artifact_path": EXAMPLE, "serving_input_path": REQUEST}
    return described | {"type": "dataframe", "pandas_orient": "split", "params": "true"}


def example_ids(run: RunFolder) -> tuple[int | str, list[int | str]]:
    """Ids of the first user with a training event, and of up to ``EXAMPLE_HISTORY`` of that user's items."""
    ids = run.frame(VOCABULARY)
    events = pl.read_parquet(run.path / TRAIN, columns=["user", "item"], n_rows=EXAMPLE_HISTORY, glob=False)
    first = events["user"][0]
    items = events.filter(pl.col("user") == first)["item"]
    return ids["user_id"][0][first], ids["item_id"][0].gather(items).to_list()

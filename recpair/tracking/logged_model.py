"""Models of tracked runs in an MLflow store: upload, metrics, registered versions and aliases."""

import json
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recpair import files
from recpair.run.folder import WEIGHTS
from recpair.run.manifest import Manifest
from recpair.tracking.pyfunc import link, write_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

NAME = "recommender"  # of the models of all runs in MLflow's tables
CHECKSUM = "recpair.weights"  # tag with the SHA-256 of model.safetensors: a resumed run has several models
VERSIONS = "mlflow.modelVersions"  # tag that links a model to its versions in MLflow's pages
BATCH = 900  # MLflow accepts at most 1,000 metrics at once


@dataclass(frozen=True)
class Value:
    """Final value of a metric, and the epoch that it belongs to (0: the run)."""

    key: str
    value: float
    step: int


def model_of(client: "MlflowClient", run_id: str, folder: Path | None = None) -> "LoggedModel | None":
    """Return the latest complete model of a tracked run, with the weights of a run folder if one is given; or None."""
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'")
    ready = [model for model in found if model.name == NAME and str(model.status) == "READY"]
    if folder is not None:
        checksum = checksum_of(folder)
        ready = [model for model in ready if model.tags.get(CHECKSUM) == checksum]
    return max(ready, key=lambda model: int(model.creation_timestamp), default=None)


def checksum_of(folder: Path) -> str:
    """Return the SHA-256 of the weights of a run, from its manifest if it has one."""
    manifest = Manifest.read(folder)
    return files.sha256(folder / WEIGHTS) if manifest is None else manifest.files[WEIGHTS][-1]


def log_model(client: "MlflowClient", run_id: str, folder: Path) -> str:
    """Upload the model of a run folder as the model of a tracked run; return its id.

    Nothing is uploaded if the tracked run has this model already.
    """
    from mlflow.entities import LoggedModelOutput

    if (found := model_of(client, run_id, folder)) is not None:
        return str(found.model_id)
    tags = {CHECKSUM: checksum_of(folder)}
    model = client.create_logged_model(
        client.get_run(run_id).info.experiment_id, name=NAME, source_run_id=run_id, tags=tags
    )
    try:
        with tempfile.TemporaryDirectory(prefix="recpair-model-") as staged:
            write_model(folder, Path(staged), link, run_id=run_id, model_id=model.model_id, artifact_path=NAME)
            client.log_model_artifacts(model.model_id, staged)
    except BaseException:
        with suppress(Exception):  # the first error is the cause
            client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    return str(model.model_id)


def log_values(client: "MlflowClient", run_id: str, values: Iterable[Value], model_id: str | None) -> None:
    """Write final metrics of a run, and link them to its model; values that the run has already are not repeated."""
    from mlflow.entities import Metric

    run = client.get_run(run_id)
    dataset = run.inputs.dataset_inputs[0].dataset if run.inputs.dataset_inputs else None
    now, entries = int(time.time() * 1000), []
    for each in values:
        stored = client.get_metric_history(run_id, each.key) if each.key in run.data.metrics else []
        same = [metric for metric in stored if metric.step == each.step and metric.value == each.value]
        if same and model_id is None:
            continue
        entry = Metric(
            each.key,
            each.value,
            same[0].timestamp if same else now,  # MLflow stores equal entries once
            each.step,
            model_id=model_id,
            dataset_name=None if dataset is None or model_id is None else dataset.name,
            dataset_digest=None if dataset is None or model_id is None else dataset.digest,
        )
        entries.append(entry)
    for start in range(0, len(entries), BATCH):
        client.log_batch(run_id, metrics=entries[start : start + BATCH])


def version_of(client: "MlflowClient", model: "LoggedModel", name: str) -> "ModelVersion | None":
    """Return the latest registered version of a model under a name, or None."""
    versions = versions_of(client, str(model.source_run_id), name)
    found = [version for version in versions if str(model.model_id) in str(version.source)]
    return max(found, key=lambda version: int(version.version), default=None)


def versions_of(client: "MlflowClient", run_id: str, name: str | None = None) -> "list[ModelVersion]":
    """Return the registered versions of a tracked run, under a name if one is given."""
    found = client.search_model_versions(f"run_id = '{run_id}'")
    return [version for version in found if name is None or version.name == name]


def register(client: "MlflowClient", model: "LoggedModel", name: str) -> "ModelVersion":
    """Return the registered version of a model under a name; it is registered if it is not."""
    from mlflow.exceptions import MlflowException

    if (found := version_of(client, model, name)) is not None:
        return found
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
            raise
    # MLflow's code for databases looks up models:/ID in the default store, whatever the store of the client is.
    by_server = client.tracking_uri.startswith(("http:", "https:"))
    source = f"models:/{model.model_id}" if by_server else model.artifact_location
    version = client.create_model_version(
        name, source, run_id=model.source_run_id, await_creation_for=0, model_id=model.model_id
    )
    known = json.loads(model.tags.get(VERSIONS, "[]"))
    versions = json.dumps([*known, {"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {VERSIONS: versions})
    return version

"""Tracking of a run in MLflow, during training or afterwards from its folder."""

import json
import logging
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from recpair.redaction import redacted
from recpair.tracking.logged_model import BATCH, Value, log_model, log_values, model_of, register
from recpair.tracking.pyfunc import link
from recpair.tracking.store import ARTIFACTS, address, connect, few_retries, first_line, quiet, sqlite_file, unusable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

logger = logging.getLogger("recpair")

KIND = {"mlflow.experimentKind": "custom_model_development"}  # not the page for traces of language models
DESCRIPTION = "mlflow.note.content"
LONGEST_TAG = 5_000  # characters
EVERY_EPOCH = "train/loss"


def metric_key(name: str) -> str:
    """Name of a metric in MLflow: ``valid/ndcg@10`` → ``valid/ndcg_at_10``."""
    return re.sub(r"[^\w/. -]", "_", name.replace("@", "_at_"))


class MlflowTracker:
    """Tracker that writes one run to an MLflow store; if the store cannot be used, it warns once and the run continues.

    Uses a separate client: mlflow's process-wide tracking URI and active run are not changed.

    Attributes:
        uri: URI of the store, with its password if it has one.
        run_id: id of the tracked run; None before ``start``, or if the store cannot be used.
    """

    def __init__(
        self,
        *,
        experiment: str = "recpair",
        uri: str | None = None,
        run_name: str | None = None,
        register: Annotated[str, Field(pattern=r"^[^/:]*[^/:\s][^/:]*$", max_length=256)] | None = None,
    ) -> None:
        """
        Args:
            experiment: name of the experiment; created if it does not exist.
            uri: URI of the store; by default ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``. A password in it is
                neither printed nor stored; ``$MLFLOW_TRACKING_USERNAME`` and ``$MLFLOW_TRACKING_PASSWORD`` are an alternative.
            run_name: name shown in MLflow; by default model, loss, denoiser and terms, then the run folder's name.
            register: name in MLflow's model registry under which the model of the run becomes a new version.
        """
        self.uri = address(uri)
        self.experiment = experiment
        self.run_name = run_name
        self.register = register
        self.run_id: str | None = None
        self._client: MlflowClient | None = None
        self._lost = False  # the store could not be used
        self._logged: dict[int, float] = {}  # epoch → loss already stored

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data: Mapping[str, Any],
        run_id: str | None = None,
    ) -> None:
        """Create the run (or continue ``run_id``) and write parameters, tags and data."""

        def act(client: "MlflowClient") -> None:
            if run_id is not None and (found := _active(client, run_id)) is not None:
                client.update_run(run_id, status="RUNNING")
                self._logged = {m.step: m.value for m in client.get_metric_history(run_id, metric_key(EVERY_EPOCH))}
                self.run_id = found.info.run_id
                return
            experiment_id = _experiment(client, self.experiment)
            run = client.create_run(experiment_id, run_name=self.run_name or name, tags=dict(tags))
            self.run_id = run.info.run_id
            _log_params(client, self.run_id, params)
            _log_data(client, self.run_id, data)

        self._connect()
        self._try(act)

    def status(self, run_id: str) -> str | None:
        """Return RUNNING, FINISHED, FAILED or KILLED; None if the store cannot be used or does not have this run."""
        file = sqlite_file(self.uri)
        if file is not None and not file.is_file():  # it would be created
            return None
        found: list[str] = []

        def act(client: "MlflowClient") -> None:
            if (run := _active(client, run_id)) is not None:
                found.append(run.info.status)

        self._connect()
        self._try(act)
        return found[0] if found else None

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Do nothing: only epochs are tracked."""

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """Write all parts of the loss and all metrics of an epoch in one request; skip epochs that the store already has."""
        if EVERY_EPOCH in values and self._logged.get(number) == values[EVERY_EPOCH]:
            return
        self._try(lambda client: _log_metrics(client, self._id, values, number))

    def finish(self, folder: Path, metrics: Mapping[str, float], names: Sequence[Path], description: str = "") -> None:
        """Write the final metrics, the description and the files ``names`` of the folder, then end the run."""

        def act(client: "MlflowClient") -> None:
            log_values(client, self._id, _values(metrics), None)
            if description:
                client.set_tag(self._id, DESCRIPTION, redacted(description)[:LONGEST_TAG])
            _upload(client, self._id, folder, names)
            client.set_terminated(self._id)

        self._try(act)

    def add_model(self, folder: Path, metrics: Mapping[str, float], best_epoch: int, run_id: str | None = None) -> bool:
        """Add the model of a run folder to the run, link metrics to it, and register it under ``register``.

        If this fails, the run is complete nevertheless: a warning is logged.

        Args:
            metrics: validation and test metrics of the model, ``valid/ndcg@10``.
            best_epoch: epoch of the validation metrics.
            run_id: id of a finished tracked run; None: the current one.

        Returns:
            True if the model was added, False if the run has it already or it could not be added.
        """
        run_id = run_id or self.run_id
        if self._client is None or run_id is None:
            return False
        try:
            with few_retries(), quiet():
                before = model_of(self._client, run_id, folder)
                model_id = log_model(self._client, run_id, folder)
                log_values(self._client, run_id, _values(metrics, best_epoch), model_id)
                if self.register is not None:
                    register(self._client, self._client.get_logged_model(model_id), self.register)
        except Exception as error:  # as in _try
            logger.warning(
                "the MLflow model of run %s is incomplete (%s); `recpair track RUN` adds it", run_id, first_line(error)
            )
            return False
        return before is None

    def __enter__(self) -> "MlflowTracker":
        return self

    def __exit__(self, *error: Any) -> None:
        """Mark a run that ended by an error."""
        kind = error[0]
        if kind is not None and self.run_id is not None:
            status = "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
            self._try(lambda client: client.set_terminated(self._id, status))

    @property
    def _id(self) -> str:
        assert self.run_id is not None
        return self.run_id

    def _connect(self) -> None:
        if self._client is not None or self._lost:
            return
        if reason := unusable(self.uri):
            self._give_up(reason)
            return
        try:
            self._client = connect(self.uri)
        except Exception as error:  # stores raise many types of errors, and none may end the run
            self._give_up(first_line(error))

    def _try(self, act: Callable[["MlflowClient"], None]) -> None:
        if self._client is None:
            return
        try:
            with few_retries(), quiet():
                act(self._client)
        except Exception as error:  # as above
            self._give_up(first_line(error))

    def _give_up(self, reason: str) -> None:
        self._client = None
        self._lost = True
        self.run_id = None
        logger.warning(
            "MLflow at %s cannot be used (%s); nothing is lost: `recpair track RUN` uploads the run later",
            redacted(self.uri),
            reason,
        )


def _active(client: "MlflowClient", run_id: str) -> "MlflowRun | None":
    """Return a tracked run; None if the store does not have it, or it is deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _experiment(client: "MlflowClient", name: str) -> str:
    """Return the id of an experiment; create it if it does not exist."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, tags=KIND))
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _upload(client: "MlflowClient", run_id: str, folder: Path, names: Sequence[Path]) -> None:
    """Upload files of a folder in one call, from a temporary folder with links to them."""
    with tempfile.TemporaryDirectory(prefix="recpair-upload-") as staged:
        for name in names:
            target = Path(staged) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            link((folder / name).resolve(), target)
        client.log_artifacts(run_id, staged, ARTIFACTS)


def _values(metrics: Mapping[str, float], best_epoch: int = 0) -> list[Value]:
    """Final metrics by their names in MLflow; those of the validation part belong to the best epoch."""
    return [
        Value(metric_key(name), float(value), best_epoch if name.startswith("valid/") else 0)
        for name, value in metrics.items()
    ]


def _log_params(client: "MlflowClient", run_id: str, params: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    entries = [Param(metric_key(key), "null" if value is None else str(value)) for key, value in params.items()]
    for start in range(0, len(entries), 100):  # MLflow accepts at most 100 at once
        client.log_batch(run_id, params=entries[start : start + 100])


def _log_metrics(client: "MlflowClient", run_id: str, values: Mapping[str, float], step: int) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    entries = [Metric(metric_key(name), float(value), now, step) for name, value in values.items()]
    for start in range(0, len(entries), BATCH):
        client.log_batch(run_id, metrics=entries[start : start + BATCH])


def _log_data(client: "MlflowClient", run_id: str, data: Mapping[str, Any]) -> None:
    """Log the fingerprint of the data and the sizes of the split as an MLflow dataset."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps(data["sizes"])
    dataset = Dataset(data["name"], data["fingerprint"], "local", json.dumps(data["source"]), profile=profile)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

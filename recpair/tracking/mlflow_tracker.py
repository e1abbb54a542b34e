"""A run in MLflow: live while it trains, or afterwards from its folder."""

import json
import logging
import os
import re
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from recpair.errors import RunError

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger("recpair")

ARTIFACTS = "run"  # where the run folder lies among a run's artifacts
RUN_ID = re.compile(r"[0-9a-f]{32}")
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the page opens on traces and judges of prompts
BATCH = 900  # MLflow takes at most 1,000 metrics at once


def metric_key(name: str) -> str:
    """A metric's name as MLflow takes it: ``valid/ndcg@10`` → ``valid/ndcg_at_10``."""
    return re.sub(r"[^\w/. -]", "_", name.replace("@", "_at_"))


class MlflowTracker:
    """Writes one run to an MLflow store; if the store cannot be reached, says so once and lets the run go on.

    Uses a client of its own: mlflow's process-wide tracking URI and active run stay as they are.
    """

    def __init__(self, *, experiment: str = "recpair", uri: str | None = None, run_name: str | None = None) -> None:
        """
        Args:
            experiment: made if it does not exist.
            uri: of the store; by default ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.
            run_name: shown in MLflow; by default the run folder's name.
        """
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        self.experiment = experiment
        self.run_name = run_name
        self.run_id: str | None = None
        self._client: MlflowClient | None = None

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data: Mapping[str, Any],
        run_id: str | None = None,
    ) -> None:
        """Open the run (or go on with ``run_id``) and write what is known before training."""

        def act(client: "MlflowClient") -> None:
            found = client.get_experiment_by_name(self.experiment)
            experiment_id = found.experiment_id if found else client.create_experiment(self.experiment, tags=KIND)
            if run_id is None:
                run = client.create_run(experiment_id, run_name=self.run_name or name, tags=dict(tags))
            else:
                run = client.get_run(run_id)
                client.update_run(run_id, status="RUNNING")
            self.run_id = run.info.run_id
            if run_id is None:
                _log_params(client, self.run_id, params)
                _log_data(client, self.run_id, data)

        self._client = self._connect()
        self._try(act)

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Steps are not tracked, epochs are."""

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """Every part of the loss and every metric of an epoch, as one request."""
        self._try(lambda client: _log_metrics(client, self._id, values, number))

    def finish(self, folder: Path, metrics: Mapping[str, float]) -> None:
        """The final metrics and the run folder, then the end of the run."""

        def act(client: "MlflowClient") -> None:
            _log_metrics(client, self._id, metrics, 0)
            for path in sorted(folder.rglob("*")):
                inner = path.relative_to(folder)
                if path.is_file() and inner.parts[0] != "checkpoint":
                    client.log_artifact(self._id, str(path), "/".join([ARTIFACTS, *inner.parts[:-1]]))
            client.set_terminated(self._id)

        self._try(act)

    def __enter__(self) -> "MlflowTracker":
        return self

    def __exit__(self, *error: Any) -> None:
        """A run that ended by an error is marked as such."""
        kind = error[0]
        if kind is not None:
            status = "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
            self._try(lambda client: client.set_terminated(self._id, status))

    @property
    def _id(self) -> str:
        assert self.run_id is not None
        return self.run_id

    def _connect(self) -> "MlflowClient | None":
        if reason := unreachable(self.uri):
            self._give_up(reason)
            return None
        from mlflow import MlflowClient

        try:
            with _quiet_setup():
                return MlflowClient(self.uri)
        except failures() as error:
            self._give_up(str(error).splitlines()[0])
            return None

    def _try(self, act: Callable[["MlflowClient"], None]) -> None:
        if self._client is None:
            return
        try:
            with _few_retries(), _quiet_setup():
                act(self._client)
        except failures() as error:
            self._give_up(str(error).splitlines()[0])

    def _give_up(self, reason: str) -> None:
        self._client = None
        self.run_id = None
        logger.warning(
            "MLflow at %s cannot be used (%s); nothing is lost: `recpair track RUN` uploads the run later",
            self.uri,
            reason[:200],
        )


def failures() -> tuple[type[Exception], ...]:
    """What a store that cannot be used raises: it is away, no store, a damaged database, or one without its driver."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError, ImportError


def unreachable(uri: str) -> str:
    """Why a server does not answer, or nothing; a store in files is always there."""
    try:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https"):
            return ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=5).close()
    except (OSError, ValueError) as error:  # ValueError: it is no URI
        return getattr(error, "strerror", None) or str(error)
    return ""


def download(run_id: str, uri: str | None = None) -> Path:
    """The run folder that a tracked run has among its artifacts.

    Raises:
        RunError: the store or the run cannot be reached, or it holds no run folder.
    """
    uri = MlflowTracker(uri=uri).uri
    if reason := unreachable(uri):
        raise RunError(f"MLflow at {uri} cannot be reached ({reason}); start it, or give the path of the run folder")
    from mlflow import MlflowClient

    try:
        with _few_retries(), _quiet_setup():
            target = tempfile.mkdtemp(prefix=f"recpair-{run_id[:8]}-")
            return Path(MlflowClient(uri).download_artifacts(run_id, ARTIFACTS, target))
    except failures() as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"MLflow at {uri} has no run folder for run {run_id} ({reason}); check the id and tracking.uri"
        ) from None


def _log_params(client: "MlflowClient", run_id: str, params: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    entries = [Param(metric_key(key), "null" if value is None else str(value)) for key, value in params.items()]
    for start in range(0, len(entries), 100):  # MLflow takes at most 100 at once
        client.log_batch(run_id, params=entries[start : start + 100])


def _log_metrics(client: "MlflowClient", run_id: str, values: Mapping[str, float], step: int) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    entries = [Metric(metric_key(name), float(value), now, step) for name, value in values.items()]
    for start in range(0, len(entries), BATCH):
        client.log_batch(run_id, metrics=entries[start : start + BATCH])


def _log_data(client: "MlflowClient", run_id: str, data: Mapping[str, Any]) -> None:
    """The data's fingerprint and the sizes of the split, as an MLflow dataset."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps(data["sizes"])
    dataset = Dataset(data["name"], data["fingerprint"], "local", json.dumps(data["source"]), profile=profile)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


@contextmanager
def _few_retries() -> Iterator[None]:
    """mlflow retries for minutes by default; a training run does not wait that long."""
    names = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
    added = {name: value for name, value in names.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _quiet_setup() -> Iterator[None]:
    """Keep out of sight the page of migration messages that a new SQLite store prints, and what mlflow itself deprecates."""
    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow.store.db.utils", "mlflow.store.db")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)

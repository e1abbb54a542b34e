"""MLflow store: URI, connection and download of run folders."""

import http.client
import logging
import os
import re
import ssl
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from recpair.errors import RunError
from recpair.redaction import MASK, redacted

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT = "sqlite:///mlflow.db"
ARTIFACTS = "run"  # artifact path of the run folder
RUN_ID = re.compile(r"[0-9a-f]{32}")
ANSWER_WITHIN = 5.0  # seconds, for the first request


def address(uri: str | None) -> str:
    """URI of the store: as given, else ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.

    A run folder stores the URI without its password. If the environment has the same URI with a password, that is used.
    """
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is not None and MASK in uri and named is not None and redacted(named) == uri:
        return named
    return uri or named or DEFAULT


def unusable(uri: str) -> str:
    """Reason why a store cannot be used, according to its URI and a first request; empty if it can."""
    if MASK in uri:
        return "its password is not stored with a run; give the address with --uri or in MLFLOW_TRACKING_URI"
    try:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https"):
            return ""
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPConnection(host, port, timeout=ANSWER_WITHIN)
            if parts.scheme == "http"  # no secret is sent, so mlflow checks the certificate later
            else http.client.HTTPSConnection(
                host, port, timeout=ANSWER_WITHIN, context=ssl._create_unverified_context()
            )
        )
        with closing(connection):
            connection.request("GET", f"{parts.path.rstrip('/')}/health")
            connection.getresponse()  # any status: the server is reachable
    except TimeoutError:
        return f"no answer within {ANSWER_WITHIN:g} s"
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: it is not a URI
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ""


def connect(uri: str) -> "MlflowClient":
    """Connect to the store; an SQLite file is created if it does not exist.

    mlflow creates the tables of a database in several steps, so only one process at a time connects to a file.
    """
    from mlflow import MlflowClient

    with quiet(), few_retries(), _alone(uri):
        return MlflowClient(uri)


def page(uri: str, experiment: str) -> str | None:
    """URL of an experiment's runs, on the store's server or in ``mlflow ui``; None if not available.

    Without the query parameter, MLflow 3 opens the page for traces of language models, whatever the tags of the experiment.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") and not parts.scheme.startswith(
        ("sqlite", "postgresql", "mysql", "mssql")
    ):
        return None
    server = "http://127.0.0.1:5000"
    if parts.scheme in ("http", "https"):
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    try:
        with quiet(), few_retries():
            found = connect(uri).get_experiment_by_name(experiment)
    except failures():
        return None
    return found and f"{server}/#/experiments/{found.experiment_id}?workflowType=machine_learning"


def sqlite_file(uri: str) -> Path | None:
    """Path of an SQLite store; None for any other store."""
    match = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
    return Path(unquote(match[1])) if match and match[1] != ":memory:" else None


@contextmanager
def reachable(uri: str, what: str) -> "Iterator[MlflowClient]":
    """Connect to a store that must exist, and convert errors in the block.

    Args:
        what: what is read, in the message of an error: ``run 1234``.

    Raises:
        RunError: the store cannot be reached, is not a store, or does not have what is read.
    """
    shown = redacted(uri)
    if reason := unusable(uri):
        raise RunError(f"MLflow at {shown} cannot be reached ({reason}); start it, or give another address")
    file = sqlite_file(uri)
    if file is not None and not file.is_file():  # mlflow would create it
        raise RunError(f"MLflow at {shown} has no {what}: {file} does not exist; check tracking.uri or --uri")
    try:
        client = connect(uri)
        with few_retries(), quiet():
            yield client
    except failures() as error:
        raise RunError(
            f"MLflow at {shown} has no {what} ({first_line(error)}); check the id and tracking.uri"
        ) from None


def download(run_id: str, uri: str | None = None) -> Path:
    """Download the run folder from the artifacts of a tracked run.

    Raises:
        RunError: the store or the run cannot be reached, or has no run folder.
    """
    with reachable(address(uri), f"run folder for run {run_id}") as client:
        target = tempfile.mkdtemp(prefix=f"recpair-{run_id[:8]}-")
        return Path(client.download_artifacts(run_id, ARTIFACTS, target))


def failures() -> tuple[type[Exception], ...]:
    """Exception types of a store that is unreachable, not a store, damaged, of another version, or without its driver."""
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, CommandError, OSError, ImportError, ValueError, KeyError


def first_line(error: Exception) -> str:
    """First line of an error message, at most 200 characters, without passwords."""
    text = redacted(str(error).strip() or type(error).__name__)
    return text.splitlines()[0][:200]


@contextmanager
def few_retries() -> Iterator[None]:
    """Limit the retries of mlflow (minutes by default), and hide its progress bars."""
    names = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
    names["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    added = {name: value for name, value in names.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the migration messages of a new SQLite store, and warnings of mlflow about itself."""
    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow.store.db.utils", "mlflow.store.db")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", ".*Any type hint is inferred", UserWarning)  # of mlflow's own types
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _alone(uri: str) -> AbstractContextManager[object]:
    """Lock of an SQLite store, in the folder of temporary files, so that no file is left beside the store."""
    from filelock import FileLock

    file = sqlite_file(uri)
    if file is None:
        return nullcontext()
    owner = os.getuid() if hasattr(os, "getuid") else 0  # the locks of another user cannot be opened
    name = sha256(str(file.resolve()).encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"recpair-mlflow-{owner}-{name}.lock", timeout=120)

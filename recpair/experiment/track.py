"""Upload of finished runs to MLflow."""

import os
from pathlib import Path
from typing import Any

from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError
from recpair.experiment.load import require_run
from recpair.experiment.loading import load_stored
from recpair.experiment.titles import components
from recpair.experiment.tracked import upload
from recpair.redaction import redacted
from recpair.run.run import Run
from recpair.tracking.mlflow_tracker import MlflowTracker
from recpair.tracking.store import page

CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME")


@boundary
def track(run: Run, *, uri: str | None = None) -> str | None:
    """Upload a finished run to MLflow; return its MLflow run id, or None if the store is unavailable.

    Raises:
        ConfigError: no ``uri`` is given, and the config of the run folder, which may be untrusted, names a server to
            which MLflow would send the user's credentials.
    """
    require_run(run)
    config = load_stored(run.config, tolerant=True)
    section = tracking_section(config, run.folder, uri)
    with MlflowTracker(**section) as tracker:
        return upload(tracker, run, components(config), config.flat())


def tracking_section(
    config: Config, folder: Path, uri: str | None, remedy: str = "give the address with --uri"
) -> dict[str, Any]:
    """Return the section ``tracking`` of a run's config, with ``uri`` in place of its address.

    Raises:
        ConfigError: as for ``track``.
    """
    section = dict(config["tracking"] or {})
    if uri is not None:
        return section | {"uri": uri}
    named = section.get("uri")
    if named and "://" in named and not named.startswith(("sqlite:", "file:")):
        held = [variable for variable in CREDENTIALS if os.environ.get(variable)]
        if held and named != os.environ.get("MLFLOW_TRACKING_URI"):
            raise ConfigError(
                f"tracking.uri in the config of {folder} names a server, and ${held[0]} would be sent to it; {remedy}"
            )
    return section


def tracking_page(config: Config) -> list[str]:
    """Return how to open the tracked runs of a config: a command unless the store is a server, and the URL."""
    tracker = MlflowTracker(**(config["tracking"] or {}))
    store, runs = redacted(tracker.uri), page(tracker.uri, tracker.experiment)
    if store.startswith(("http:", "https:")):
        return [runs or store]
    return [f"mlflow ui --backend-store-uri {store}", *([runs] if runs else [])]

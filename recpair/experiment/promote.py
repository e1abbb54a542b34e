"""Promotion of runs in MLflow's model registry."""

from pathlib import Path

from recpair.boundary import boundary
from recpair.errors import RunError, shown
from recpair.experiment.loading import load_stored
from recpair.experiment.track import tracking_section
from recpair.run.folder import SEEDS, RunFolder
from recpair.tracking.registry import Promotion, set_alias
from recpair.tracking.store import RUN_ID, address


@boundary
def promote(run: str | Path, alias: str, *, name: str | None = None, uri: str | None = None) -> Promotion:
    """Give the registered version of a run's model an alias; it is registered if it is not.

    Args:
        run: a run folder, or an MLflow run id.
        alias: such as ``champion``; a version that has the alias loses it.
        name: name in the model registry; by default ``tracking.register`` of the run, or the name that it is registered as.
        uri: the MLflow store, by default that of the run's config.

    Raises:
        RunError: the run is not tracked or has no model in the store, the name is unknown, or the alias is invalid.
    """
    if isinstance(run, str) and RUN_ID.fullmatch(run) and not Path(run).exists():
        return set_alias(address(uri), run, alias, name, run)
    if not isinstance(run, str | Path):
        raise RunError(f"a run is given by its folder or MLflow run id, got {shown(run)}")
    folder = RunFolder.open(Path(run))
    if folder.has(SEEDS):
        raise RunError(f"{run} holds several seeds; promote one of its runs")
    section = tracking_section(load_stored(folder.config(), tolerant=True), folder.path, uri)
    run_id = folder.metrics().get("mlflow_run_id")
    if run_id is None:
        raise RunError(f"{run} is not tracked in MLflow; upload it with `recpair track {run}`, then promote it")
    return set_alias(address(section.get("uri")), run_id, alias, name or section.get("register"), str(run))

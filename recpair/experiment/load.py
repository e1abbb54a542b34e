"""Loading of finished runs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from recpair.boundary import boundary
from recpair.errors import ConfigError, RunError, shown
from recpair.experiment.loading import load_stored
from recpair.plugins import import_modules
from recpair.run.folder import CONFIG
from recpair.run.run import Run
from recpair.tracking.store import RUN_ID, download

logger = logging.getLogger("recpair")


@boundary
def load(run: str | Path, *, plugins: Sequence[str | ModuleType] = (), uri: str | None = None) -> Run:
    """Load a finished run from its folder or by its MLflow run id; the data set is not needed.

    Args:
        plugins: modules of components from outside recpair that the run uses; no other module that the run folder names
            is imported. Without the modules of its loss, terms or denoiser, a run can recommend.

    Raises:
        RunError: a file is missing or damaged, the config has unknown keys, the store does not have the run id, or the
            model is of a module that ``plugins`` does not name.
        ConfigError: a module of ``plugins`` cannot be imported.
    """
    named = import_modules(plugins)
    if isinstance(run, str) and RUN_ID.fullmatch(run) and not Path(run).exists():
        run = download(run, uri)
    opened = Run.open(run, named)
    try:
        for note in load_stored(opened.config, tolerant=True).notes:
            logger.info(note)
    except ConfigError as error:
        raise RunError(f"{opened.folder / CONFIG}: {error}") from None
    return opened


def require_run(run: object) -> None:
    """Raise a RunError for anything but a ``Run``, and for a run that was extended in memory."""
    if not isinstance(run, Run):
        raise RunError(f"expected a Run returned by recpair.fit or recpair.load, got {shown(run)}")
    if run.added is not None:
        raise RunError(f"{run.folder} was extended by new items in memory; load it again for this")

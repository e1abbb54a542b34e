"""Overview of a data set before training, without torch and numba."""

import logging
from collections.abc import Sequence
from pathlib import Path

from recpair.boundary import boundary
from recpair.data import SOURCES
from recpair.data.describe import Description
from recpair.data.describe import describe as describe_events
from recpair.data.events import read_data
from recpair.data.filtering import Report, filter_events
from recpair.errors import DataError
from recpair.experiment.loading import check_keys
from recpair.registry import nearest

logger = logging.getLogger("recpair")


@boundary
def describe(source: str, overrides: Sequence[str] = ()) -> tuple[Description, Report]:
    """Describe a named data set, a file or a folder, and the effect of the filters in ``overrides``."""
    known = source in SOURCES
    if not known and not Path(source).expanduser().exists() and (near := nearest(source, SOURCES)):
        raise DataError(f"{source} is neither a named data set nor a file{near}")
    config = check_keys({"data": {"source" if known else "path": source}}, overrides)
    events = read_data(**config["data"])
    filtered, report = filter_events(events, **config["filter"])
    for note in filtered.notes:
        logger.info(note)
    return describe_events(events), report

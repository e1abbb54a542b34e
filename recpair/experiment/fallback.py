"""Data of the shipped configs of MovieLens-100K where recbole, which contains it, is not installed."""

import json
import logging
from pathlib import Path
from typing import Any

from recpair import shipped
from recpair.config import Config
from recpair.data import SOURCES
from recpair.data.events import data_root
from recpair.data.fetch import fetch
from recpair.errors import ConfigError, DataError
from recpair.experiment.loading import load_config

logger = logging.getLogger("recpair")

BUNDLED, GENERATED = "ml-100k", "shop"
TEMPLATE = "{title}. {categories}. {brand}"  # of the generated items


def with_available_data(config: Config, given: Any) -> Config:
    """Return a config whose data exist, for a shipped config of MovieLens-100K; other configs are returned unchanged.

    Without the recbole wheel, the data set is downloaded from its publisher. If that fails, the config is used with the
    generated data set ``shop`` and another output folder. Both are said.

    Args:
        config: the checked config.
        given: what it was loaded from.
    """
    if config["data"]["source"] != BUNDLED or not _is_shipped(given):
        return config
    try:
        SOURCES[BUNDLED]()
        return config
    except DataError:
        logger.info("%s is part of the recbole wheel, which is not installed; downloading it from GroupLens", BUNDLED)
    try:
        logger.info("%s is in %s", BUNDLED, fetch(BUNDLED, data_root()))
        return config
    except DataError as reason:
        logger.warning(
            "%s cannot be downloaded (%s); the generated data set %s takes its place, so the metrics are not those of %s",
            *(BUNDLED, reason, GENERATED, BUNDLED),
        )
    output = Path(config["output"])
    output = output.with_name(output.name.replace(BUNDLED, GENERATED))
    changed = {"data.source": GENERATED, "output": str(output)}
    if config["semantics"] is not None:
        changed["semantics.template"] = TEMPLATE
    return load_config(config, [f"{key}={json.dumps(value)}" for key, value in changed.items()])


def _is_shipped(given: Any) -> bool:
    """Return True for the name or the path of a config that ships with recpair."""
    if not isinstance(given, str | Path):
        return False
    try:
        path, _ = shipped.locate(given)
    except ConfigError:
        return False
    return path.resolve() in {known.resolve() for known in shipped.names().values()}

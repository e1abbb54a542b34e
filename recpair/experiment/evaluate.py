"""Evaluation of finished runs."""

import logging
from collections.abc import Sequence
from typing import Any

from recpair.boundary import boundary
from recpair.config import Config
from recpair.data.fingerprint import same_kind
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, RunError
from recpair.evaluation.evaluator import Evaluation
from recpair.experiment.load import require_run
from recpair.experiment.loading import differences, load_stored
from recpair.experiment.prepare import evaluators_of, prepare
from recpair.models.popularity import Popularity
from recpair.run.run import Run

logger = logging.getLogger("recpair")
MONITOR = "evaluate.monitor"  # determines the training events


@boundary
def evaluate(run: Run, overrides: Sequence[str] = (), *, data: Any = None) -> tuple[Evaluation, Evaluation]:
    """Evaluate a run and the most popular items on the test part again; ``evaluate.*`` may be overridden.

    Raises:
        RunError: the data differs from that of the run, or has no test part.
    """
    require_run(run)
    config = load_stored(run.config, overrides)
    changed = differences(load_stored(run.config), config)
    if changed := [key for key in changed if key == MONITOR or not key.startswith(("evaluate", "data"))]:
        raise ConfigError(f"{changed[0]} cannot change after training; override evaluate.… or data.… only")
    splits = same_splits(run, config, data)
    test = evaluators_of(config, splits).test
    if test is None:
        raise RunError(
            f"{run.folder} was trained on every event (split.name: whole); no test events are left to evaluate it on"
        )
    return test.evaluate(run.model), test.evaluate(Popularity.fitted(splits.train), vectors_of=run.model)


def same_splits(run: Run, config: Config, data: Any) -> Splits:
    """Read the data set of a run again and split it.

    Raises:
        RunError: the data differs from that of the run.
    """
    splits, trained_on = prepare(config, data), run.metrics["data"]["fingerprint"]
    if not same_kind(splits.fingerprint, trained_on):
        logger.info("%s is a run of an earlier version of recpair; its data cannot be checked for changes", run.folder)
    elif splits.fingerprint != trained_on:
        raise RunError(
            f"the data of {config['data']['source'] or config['data']['path']}, or its split, differs from that of "
            f"{run.folder} (fingerprint {splits.fingerprint}, then {trained_on}); restore it or train again"
        )
    return splits

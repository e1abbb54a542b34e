"""Refit: a finished run trained on new data with the same settings, and compared with the earlier run."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from recpair import raw_config
from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError, RunError, shown
from recpair.evaluation.names import parse_metric
from recpair.experiment.earlier import Earlier
from recpair.experiment.fit import fit_config
from recpair.experiment.folds import has_folds
from recpair.experiment.load import load
from recpair.experiment.loading import load_stored
from recpair.experiment.track import tracking_section
from recpair.experiment.tracked import refit_tags
from recpair.integrations import BLEND
from recpair.registry import options
from recpair.run.asked import flag
from recpair.run.run import Run
from recpair.semantics.describe import Describer
from recpair.training.log import Log

MARGIN = 0.05
USUAL = options(Describer)["base_url"][1]  # the server for which the key is meant
SOURCES = ("data.source", "data.path")


@boundary
def refit(
    run: str | Path | Run,
    overrides: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    metric: str | None = None,
    margin: float = MARGIN,
    warm_start: bool = True,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    plugins: Sequence[str | ModuleType] = (),
    log: Log | None = None,
) -> Run:
    """Train on new data with the settings of a finished run, compare both, and say whether to promote the new one.

    A gradient model of the same kind starts from the earlier weights of the users and items that both runs know
    (``training.warm_start``); other models are fitted again. Both runs are compared on the new test part
    (``Earlier.compare``), without the test events among the training events of the earlier run.
    ``run.metrics["refit"]`` of the result holds groups, paired tests and ``promote``.

    Args:
        run: the earlier run, its folder or its MLflow run id. It is not changed.
        overrides: ``section.key=value`` strings; usually ``data.path=…``.
        out: the run folder to write, by default ``RUN-refit``.
        metric: test metric of the comparison, by default ``evaluate.monitor``, else ndcg@10.
        margin: tolerated loss, as a share of the earlier run's mean. The new run is promoted if the lower bound of the
            95 % bootstrap interval of the difference is above −margin · mean; with 0, it must be better.
        warm_start: whether to start from the earlier weights.
        data, items: events and item table in memory, in place of the section ``data``.
        resume: continue an interrupted refit.
        plugins: modules of components from outside recpair that the run uses, as for ``load``.
        log: receives the metrics of each epoch, as for ``fit``.

    Raises:
        RunError: the run is a blend, the config has no test part, or the runs cannot be compared.
        ConfigError: the metric, the margin or an override is invalid.
        DataError: the data are invalid.
    """
    flag(warm_start, "warm_start")
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not (math.isfinite(margin) and margin >= 0):
        raise ConfigError(
            f"margin is {shown(margin)}; expected a share of the earlier run's mean from 0, such as {MARGIN}"
        )
    opened = run if isinstance(run, Run) else load(run, plugins=plugins)
    config = refit_config(opened, overrides, out)
    _require_own_servers(config, opened.folder, overrides)
    chosen = metric or config["evaluate"]["monitor"] or "ndcg@10"
    parse_metric(chosen, "metric")
    earlier = Earlier(opened, chosen, float(margin), warm_start)
    tags = refit_tags(earlier.record)
    again = fit_config(config, data=data, items=items, resume=resume, log=log, tags=tags, earlier=earlier)
    assert isinstance(again, Run)
    earlier.require_refit(again.files)
    return again


def refit_config(run: Run, overrides: Sequence[str], out: str | Path | None) -> Config:
    """Return the config of a refit: that of the run with overrides, a new output, and one source of the data.

    Raises:
        RunError: the run is a blend, the config has no test part, or the output is the earlier run.
    """
    if run.config["model"]["name"] == BLEND:
        raise RunError(f"{run.folder} is a blend; refit its members, and blend the refitted runs")
    folder = run.folder.resolve()
    beside = run.folder if run.folder.name not in ("", "..") else folder
    named = [assignment.partition("=")[0].strip() for assignment in overrides if isinstance(assignment, str)]
    other = [f"{key}=null" for key in SOURCES if len({*SOURCES} & {*named}) == 1 and key not in named]
    path = None if "output" in named and out is None else out or beside.with_name(f"{beside.name}-refit")
    given = [*other, *overrides, *([] if path is None else [raw_config.assignment("output", str(path))])]
    config = load_stored(run.config, given)
    if has_folds(config):
        raise RunError(f"split.name is {config['split']['name']}, which makes several runs; add split=temporal")
    if config["split"]["name"] == "whole":
        raise RunError("split.name is whole, which leaves no test part to compare the runs on; add split=temporal")
    if Path(config["output"]).resolve() == folder:
        raise RunError(f"{config['output']} is the earlier run; choose another folder with --out")
    return config


def _require_own_servers(config: Config, folder: Path, overrides: Sequence[str]) -> None:
    """Raise a ConfigError if the config of the run, which may be untrusted, would send a key of the user to a server.

    An override of the address confirms it.
    """
    named = {assignment.partition("=")[0].strip() for assignment in overrides}
    if not named & {"tracking", "tracking.uri"}:
        tracking_section(config, folder, None, "confirm it with tracking.uri=ADDRESS")
    for section in ("semantics", "describe"):
        values = config[section] or {}
        url, variable = values.get("base_url"), values.get("key_variable")
        if url in (None, USUAL) or named & {section, f"{section}.base_url"}:
            continue
        if variable and os.environ.get(variable):
            raise ConfigError(
                f"{section}.base_url in the config of {folder} is {shown(url)}, and ${variable} would be sent to it; confirm "
                f"it with {section}.base_url=ADDRESS"
            )

"""Members of a blend: finished runs, and configs, which are fitted first."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.evaluation.names import name_of
from recpair.experiment.fit import fit
from recpair.experiment.folds import has_folds
from recpair.experiment.load import load
from recpair.experiment.loading import load_config
from recpair.run.run import Run

logger = logging.getLogger("recpair")

SUFFIXES = (".yaml", ".yml", ".toml")

Member = str | Path | Mapping[str, Any] | Config | Run


def gathered(
    members: Sequence[Member],
    out: Path,
    overrides: Sequence[str],
    metric: str | None,
    plugins: Sequence[str | ModuleType],
) -> list[Run | Config]:
    """Load the runs and check the configs among the members, before anything is fitted.

    Args:
        overrides: overrides of every config.

    Raises:
        ConfigError: a config is invalid, has no validation part or does not measure the metric, or there are overrides
            but no configs.
    """
    if overrides and not any(map(_is_config, members)):
        raise ConfigError(f"{shown(overrides[0])} changes configs, but all members are finished runs; fit them with it")
    found, names = list[Run | Config](), list[str]()
    for member in members:
        if isinstance(member, Run):
            found.append(member)
        elif isinstance(member, str | Path) and not _is_config(member):
            found.append(load(member, plugins=plugins))
        else:
            config = load_config(member, overrides)
            name = Path(member).stem if isinstance(member, str | Path) else re.sub(r"\W", "-", config["model"]["name"])
            if has_folds(config):
                raise ConfigError(
                    f"{name}: split.name is rolling, which trains a run per fold; set split.fold=1 to blend one"
                )
            names.append(name if name not in names else f"{name}-{len(names) + 1}")
            _require_metric(name, config["evaluate"], metric)
            output = str(out.with_name(f"{out.name}.members") / names[-1])
            found.append(replace(config, sections=config.sections | {"output": output}))
    return found


def fitted(member: Run | Config, data: Any) -> Run:
    """Return a run, or fit a config."""
    if isinstance(member, Run):
        return member
    logger.info("fitting %s", member["output"])
    run = fit(member, data=data)
    assert isinstance(run, Run), "rolling folds are refused before"
    return run


def _require_metric(name: str, evaluate: Mapping[str, Any], metric: str | None) -> None:
    """Raise a ConfigError unless a config measures the metric that chooses the weights, on both parts."""
    if evaluate["monitor"] is None:
        raise ConfigError(
            f"{name}: evaluate.monitor is null, which leaves no validation events to choose the weights of a blend; set "
            f"it, for example to ndcg@10"
        )
    chosen = evaluate["monitor"] if metric is None else metric
    measured = {f"{name_of(entry)}@{cutoff}" for entry in evaluate["metrics"] for cutoff in evaluate["cutoffs"]}
    if chosen not in measured:
        raise ConfigError(
            f"{name} does not measure {shown(chosen)}, which chooses the weights; add it to evaluate.metrics and "
            f"evaluate.cutoffs, or choose another metric"
        )


def _is_config(member: Any) -> bool:
    """Return True for a config: a Config, sections, or a path of a file of them; a folder is a run."""
    if isinstance(member, str | Path):
        return Path(member).suffix in SUFFIXES and not Path(member).is_dir()
    return isinstance(member, Mapping | Config)

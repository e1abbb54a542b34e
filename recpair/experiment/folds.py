"""Training of one config over rolling folds in time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recpair import files
from recpair.comparison.significance import t_interval
from recpair.config import Config
from recpair.data.rolling import Fold
from recpair.data.splitting import ROLLING
from recpair.experiment.prepare import folds_of
from recpair.experiment.several import FitOne, Several, spread
from recpair.experiment.titles import title
from recpair.run.folder import FOLDS, PER_USER, SUMMARY, RunFolder
from recpair.run.folds import Folds, folds_page

LEVEL = 0.95
PARTS = ("valid", "test", "popularity")
ONE_SEED: Mapping[str, Sequence[str]] = {"": ()}


def has_folds(config: Config) -> bool:
    """Return True if a config is trained and tested on several folds."""
    return config["split"]["name"] == ROLLING and config["split"]["fold"] is None


def several_folds(
    fit_one: FitOne,
    config: Config,
    *,
    seeds: Mapping[str, Sequence[str]] = ONE_SEED,
    data: Any = None,
    items: Any = None,
    tags: Mapping[str, str] | None = None,
) -> Several:
    """Return the runs of a config on each fold of the split ``rolling``, in ``fold-<f>``; they are not yet trained.

    ``folds.json`` and ``SUMMARY.md`` of their folder have mean, standard deviation and t interval of each metric over the
    folds. In MLflow, the runs are children of one parent run.

    Args:
        fit_one: ``fit.fit_into``.
        seeds: name of each seed → its overrides; a fold is trained with each, in ``fold-<f>-<name>``, and its metrics are
            their means.
        tags: additional tags of the parent of the MLflow runs.

    Raises:
        DataError: the data are too short for the folds, or a window has no events.
    """
    folds = folds_of(config, data, items)
    names = {fold: [f"fold-{fold.number}{name and '-'}{name}" for name in seeds] for fold in folds}
    overrides = {
        run: [f"split.fold={fold.number}", *changes]
        for fold, runs in names.items()
        for run, changes in zip(runs, seeds.values(), strict=True)
    }

    def summarise(folder: Path) -> dict[str, Any]:
        records = [_fold_record(folder, fold, runs) for fold, runs in names.items()]
        summary = {"runs": list(overrides), "level": LEVEL, "folds": records} | _over_folds(records)
        if len(seeds) > 1:
            _add_seed_sd(summary, folder, list(names.values()))
        _write_page(folder, config, Folds(folder, summary))
        return summary

    tagged = {"folds": str(len(folds)), **(tags or {})}
    return Several(fit_one, config, overrides, FOLDS, summarise, tagged, seeds=seeds is not ONE_SEED)


def _fold_record(folder: Path, fold: Fold, runs: Sequence[str]) -> dict[str, Any]:
    """Windows, counts and metrics of one fold; metrics are means over its runs, which have different seeds."""
    opened = [RunFolder.open(folder / run) for run in runs]
    metrics = [run.metrics() for run in opened]
    sizes = metrics[0]["data"]["sizes"]
    counts = {f"{part}_events": sizes[f"{part}_events"] for part in ("train", "valid", "test")} | {
        "test_users": len(opened[0].frame(PER_USER)),
        "untested_events": sizes["events_in_test_window"] - sizes["test_events"],
    }
    means = {
        part: {name: by["mean"] for name, by in spread([each[part] for each in metrics]).items()} for part in PARTS
    }
    warnings = list(dict.fromkeys(warning for each in metrics for warning in each["warnings"]))
    return {"fold": fold.number, "runs": list(runs), **fold.moments(), **counts, **means, "warnings": warnings}


def _over_folds(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, sd, and low and high of the t interval of each metric over the folds."""
    found = {}
    for part in PARTS:
        values = [record[part] for record in records]
        found[part] = {
            name: by | dict(zip(("low", "high"), t_interval([each[name] for each in values], LEVEL), strict=True))
            for name, by in spread(values).items()
        }
    return found


def _add_seed_sd(summary: dict[str, Any], folder: Path, groups: Sequence[Sequence[str]]) -> None:
    """Add the standard deviation over the seeds, within the folds, to the test metrics."""
    tests = [spread([RunFolder.open(folder / run).metrics()["test"] for run in runs]) for runs in groups]
    for name, by in summary["test"].items():
        by["seed_sd"] = float(np.sqrt(np.mean([test[name]["sd"] ** 2 for test in tests])))


def _write_page(folder: Path, config: Config, folds: Folds) -> None:
    """Write SUMMARY.md, with the values by fold of the metric that chose the epochs, if it is tested."""
    first = RunFolder.open(folder / folds.summary["runs"][0]).metrics()
    page = folds_page(title(config, first["data"]["name"]), folds, main_metric(config, folds))
    files.write_text(folder / SUMMARY, page)


def main_metric(config: Config, folds: Folds) -> str:
    """Return the metric that chooses the epochs if it is tested, else the first test metric."""
    monitor, tested = config["evaluate"]["monitor"], list(map(str, folds.summary["test"]))
    return str(monitor) if monitor in tested else tested[0]

"""Members of a blend: finished runs of one data set and split, evaluated in the same way."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recpair import files
from recpair.comparison.results import Results
from recpair.data.fingerprint import same_kind
from recpair.data.splitting import COLD
from recpair.errors import ConfigError, RunError, shown
from recpair.evaluation.measure import measures_of
from recpair.evaluation.names import Entry, name_of, parse_metric
from recpair.experiment.loading import load_stored
from recpair.integrations import BLEND
from recpair.run.folder import WEIGHTS
from recpair.run.run import Run

SPLITTING = ("split", "filter", "noise", "data")  # sections that determine the parts, the likeliest difference first
SHARED = ("data", "filter", "split", "noise", "tracking")
MEASURING = ("mask_seen", "ideal", "gain", "block_mb", "candidates")


def require_members(runs: Sequence[Run], out: Path) -> None:
    """Raise a RunError unless the runs can be blended into the folder ``out``.

    They must be distinct, have the same training, validation and test events, have not been trained on the validation
    events, and have been tested in the same way.
    """
    folders = [run.folder.resolve() for run in runs]
    for place, run in enumerate(runs):
        if folders.index(folders[place]) != place:
            raise RunError(f"{run.folder} is given twice; give each run once")
        if folders[place] == out.resolve():
            raise RunError(f"{out} is one of the runs to blend; choose another output")
        if run.added is not None:
            raise RunError(f"{run.folder} was extended by new items in memory; blend the run as loaded")
        if run.config["split"]["name"] == COLD or run.config["evaluate"].get("candidates") == "cold":
            raise RunError(f"{run.folder} is evaluated on cold items, which blends do not support; use another split")
        if run.config["evaluate"]["monitor"] is None:
            raise RunError(
                f"{run.folder} was trained on the validation events (evaluate.monitor: null), which choose the weights "
                f"of a blend; train it with evaluate.monitor, such as ndcg@10"
            )
    for run in runs[1:]:
        _require_same_data(runs[0], run)
    results = [Results.of(run.folder) for run in runs]
    for each in results[1:]:
        results[0].require_same_test(each)


def _require_same_data(first: Run, other: Run) -> None:
    """Raise a RunError, with the first differing key, unless two runs have the same parts."""
    ours, theirs = (run.metrics["data"]["fingerprint"] for run in (first, other))
    if ours == theirs or not same_kind(ours, theirs):  # runs of earlier versions are compared by their test sets
        return
    here, there = (load_stored(run.config, tolerant=True).flat() for run in (first, other))
    keys = [key for section in SPLITTING for key in {**here, **there} if key.partition(".")[0] == section]
    for key in keys:
        if here.get(key) != there.get(key):
            raise RunError(
                f"{first.folder} has {key}: {shown(here.get(key))}, {other.folder} has {key}: {shown(there.get(key))}; "
                f"blend runs of the same data and split"
            )
    raise RunError(
        f"{first.folder} and {other.folder} have different data (fingerprints {ours} and {theirs}); blend runs of the "
        f"same data and split"
    )


def metric_of(runs: Sequence[Run], metric: str | None) -> str:
    """Return the metric that chooses the weights, by default ``evaluate.monitor`` of the runs.

    Raises:
        ConfigError: the runs have different monitors, or the metric has no values per user.
        RunError: a run has no test results of the metric.
    """
    monitors = list(dict.fromkeys(run.config["evaluate"]["monitor"] for run in runs))
    if metric is None and len(monitors) > 1:
        raise ConfigError(
            f"the runs have evaluate.monitor {monitors[0]} and {monitors[1]}; name the metric of the blend, as in "
            f"--metric {monitors[0]}"
        )
    chosen = monitors[0] if metric is None else metric
    if not isinstance(chosen, str):
        raise ConfigError(f"metric is {shown(chosen)}; expected a metric and a cut-off, as in ndcg@10")
    name, _ = parse_metric(chosen, "metric")
    if not measures_of([name])[0].per_list:
        raise ConfigError(f"metric is {chosen}, which has no values per user; choose one such as ndcg@10")
    for run in runs:
        Results.of(run.folder).require_metric(chosen)
    return chosen


def sections_of(runs: Sequence[Run], metric: str, calibration: str, groups: int, out: Path) -> dict[str, Any]:
    """Return the config sections of a blend: those of the first run, and the metrics and cut-offs that all runs have."""
    first = load_stored(runs[0].config, tolerant=True).sections
    asked = [load_stored(run.config, tolerant=True)["evaluate"] for run in runs]
    name, cutoff = parse_metric(metric, "metric")
    entries: list[Entry] = [
        entry
        for entry in asked[0]["metrics"]
        if name_of(entry) == name or all(entry in other["metrics"] for other in asked[1:])
    ]
    cutoffs = {cutoff, *set.intersection(*(set(other["cutoffs"]) for other in asked))}
    evaluate = {key: first["evaluate"][key] for key in MEASURING}
    evaluate |= {"metrics": entries, "cutoffs": sorted(cutoffs), "monitor": metric}
    members = [model_section(run) for run in runs]
    model = {"name": BLEND, "members": members, "calibration": calibration, "groups": groups}
    return {key: first[key] for key in SHARED} | {"model": model, "evaluate": evaluate, "output": str(out)}


def model_section(run: Run) -> dict[str, Any]:
    """Return the effective section ``model`` of a run."""
    return dict(load_stored(run.config, tolerant=True)["model"])


def content_of(run: Run) -> str:
    """Return a text that identifies the model of a run, whatever its folder: its section and its weights."""
    return json.dumps([model_section(run), weights_sha256(run)], sort_keys=True)


def weights_sha256(run: Run) -> str:
    """Return the SHA-256 checksum of the weights of a run, which were verified when it was loaded."""
    manifest = run.files.manifest
    return files.sha256(run.files.file(WEIGHTS)) if manifest is None else manifest.files[WEIGHTS][-1]


def record_of(run: Run, valid: Mapping[str, float], used: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a member in ``metrics.json``.

    Args:
        valid: its validation metrics.
        used: metrics of the run whose model is in the blend: the same run, or the run trained again.
    """
    manifest = run.files.manifest
    return {
        "path": str(run.folder),
        "model": run.config["model"]["name"],
        "id": None if manifest is None else manifest.id,
        "weights_sha256": weights_sha256(run),
        "epochs": used["best_epoch"],
        "valid": dict(valid),
        "test": used["test"],
    }

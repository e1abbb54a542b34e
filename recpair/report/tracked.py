"""How a run is told to a tracker: as it begins, as it ends, or afterwards from its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recpair import files
from recpair.data.splitting import Splits
from recpair.report.environment import git_state, versions
from recpair.serving.manifest import CHECKPOINT, rewrite
from recpair.serving.output import Output
from recpair.serving.run import Run
from recpair.serving.run_folder import ENVIRONMENT, METRICS, TRACKED
from recpair.tracking.tracker import Tracker


def data_record(splits: Splits, source: Mapping[str, Any]) -> dict[str, Any]:
    """The data's name, fingerprints, source and split, the sizes of its parts, and notes for the reader of the results."""
    return {
        "name": splits.name,
        "fingerprint": splits.fingerprint,
        "test_fingerprint": splits.test_fingerprint,
        "source": dict(source),
        "sizes": {"users": splits.train.n_users, "items": splits.train.n_items, **splits.report},
        "notes": list(splits.notes),
    }


def open_run(
    tracker: Tracker,
    output: Output,
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    resume: bool,
    tags: Mapping[str, str],
) -> None:
    """Start tracking; a resumed run goes on in the tracked run that it began."""
    noted = output.work / CHECKPOINT / TRACKED
    before = noted.read_text(encoding="utf-8") if resume and noted.is_file() else None
    tracker.start(output.final.name, params, {**_tags(versions(), git_state()), **tags}, data, before)
    if tracker.run_id is not None:
        files.write_text(noted, tracker.run_id)


def close_run(tracker: Tracker, folder: Path, metrics: Mapping[str, Any]) -> None:
    """Hand a complete run folder to the tracker, and note in ``metrics.json`` which tracked run has it, if any."""
    tracker.finish(folder, _final(metrics))
    if tracker.run_id != metrics["mlflow_run_id"]:  # the store went away meanwhile
        rewrite(folder, METRICS, {**metrics, "mlflow_run_id": tracker.run_id})


def upload(tracker: Tracker, run: Run, params: Mapping[str, Any]) -> None:
    """Track a finished run from its folder, epochs and all, and note the id in ``metrics.json``."""
    environment = run.files.json(ENVIRONMENT)
    tracker.start(run.folder.name, params, _tags(environment["versions"], environment), run.metrics["data"])
    for (epoch,), rows in run.history.group_by("epoch", maintain_order=True):
        tracker.epoch(int(str(epoch)), dict(zip(rows["metric"], rows["value"], strict=True)))
    if tracker.run_id is not None:
        metrics = {**run.metrics, "mlflow_run_id": tracker.run_id}
        rewrite(run.folder, METRICS, metrics)
        close_run(tracker, run.folder, metrics)


def _final(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers at the end of a run: ``test/recall@10``, ``popularity/recall@10``, ``timing/epoch_s``."""
    parts = {
        f"{part}/{name}": value for part in ("test", "popularity", "timing") for name, value in metrics[part].items()
    }
    return parts | {"best_epoch": metrics["best_epoch"], "epochs": metrics["epochs"]}


def _tags(packages: Mapping[str, Any], git: Mapping[str, Any]) -> dict[str, str]:
    """The versions of the packages, and the commit."""
    tags = {f"version.{name}": str(version) for name, version in packages.items() if version is not None}
    if "git_commit" in git:
        tags |= {"mlflow.source.git.commit": git["git_commit"], "git_dirty": str(git["git_dirty"]).lower()}
    return tags

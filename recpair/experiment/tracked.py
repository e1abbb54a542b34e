"""Tracking of a run folder: at the start of the run, at its end, or afterwards."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recpair import files
from recpair.data.splitting import Splits
from recpair.redaction import redacted_values
from recpair.run.environment import git_state, versions
from recpair.run.folder import ENVIRONMENT, METRICS, SUMMARY, TRACKED
from recpair.run.manifest import CHECKPOINT, MANIFEST, lasting_files, rewrite
from recpair.run.output import Output
from recpair.run.run import Run
from recpair.tracking.mlflow_tracker import MlflowTracker
from recpair.tracking.store import RUN_ID
from recpair.tracking.tracker import Tracker, Untracked

logger = logging.getLogger("recpair")


def data_record(splits: Splits, source: Mapping[str, Any]) -> dict[str, Any]:
    """Record of the data: name, fingerprints, source and split, sizes of the parts, and notes."""
    return {
        "name": splits.name,
        "fingerprint": splits.fingerprint,
        "test_fingerprint": splits.test_fingerprint,
        "source": redacted_values(source),
        "sizes": {"users": splits.train.n_users, "items": splits.train.n_items, **splits.report},
        "notes": list(splits.notes),
    }


def tracker_of(section: Mapping[str, Any] | None) -> Tracker:
    """Tracker of the config section ``tracking``: MLflow, or ``Untracked`` for null."""
    return Untracked() if section is None else MlflowTracker(**section)


def open_run(
    tracker: Tracker,
    output: Output,
    parts: Sequence[str],
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    resume: bool,
    tags: Mapping[str, str],
) -> None:
    """Start tracking; a resumed run continues its tracked run.

    Args:
        parts: names of the model, the loss and so on, from which the name of the tracked run is built.
    """
    before = _noted(output.work) if resume else None
    tracker.start(_name(parts, output.final), params, {**_tags(versions(), git_state()), **tags}, data, before)
    if tracker.run_id is not None:
        files.write_text(output.work / CHECKPOINT / TRACKED, tracker.run_id)


def close_run(tracker: Tracker, folder: Path, metrics: Mapping[str, Any], *, model: bool = True) -> None:
    """Upload a complete run folder to the tracker, and store the id of the tracked run, if any, in ``metrics.json``.

    Args:
        model: whether the run also has an MLflow model; trials of a search have none.
    """
    if model:
        add_model(tracker, folder, metrics)
    tracker.finish(folder, _final(metrics), _uploaded(folder), _description(folder))
    if tracker.run_id != metrics["mlflow_run_id"]:  # the store became unavailable meanwhile
        rewrite(folder, METRICS, {**metrics, "mlflow_run_id": tracker.run_id})


def add_model(tracker: Tracker, folder: Path, metrics: Mapping[str, Any], run_id: str | None = None) -> bool:
    """Add the model of a run folder to its tracked run, or to ``run_id``; return True if it was added."""
    own = {f"{part}/{name}": value for part in ("valid", "test") for name, value in metrics[part].items()}
    return tracker.add_model(folder, own, metrics["best_epoch"], run_id)


def close_members(tracker: Tracker, folder: Path, summary: Mapping[str, Any]) -> None:
    """Upload the summary of several seeds or folds to the parent of their tracked runs."""
    final = {
        f"{part}/{name}_{kind}": value
        for part in ("valid", "test", "popularity")
        for name, by in summary.get(part, {}).items()
        for kind, value in by.items()
    }
    tracker.finish(folder, final, _uploaded(folder), _description(folder))


def close_search(tracker: Tracker, folder: Path, values: Mapping[str, float]) -> None:
    """Upload the results of a search to the parent of the tracked runs of its trials."""
    tracker.finish(folder, values, _uploaded(folder), _description(folder))


def refit_tags(earlier: Mapping[str, Any] | None) -> dict[str, str]:
    """Tags of a refitted run, which name the earlier run: its id, and that of its tracked run."""
    if earlier is None:
        return {}
    tracked = earlier["mlflow_run_id"]
    return {"refit_of": earlier["id"]} | ({} if tracked is None else {"refit_of_mlflow_run": tracked})


def reconcile_search(tracker: Tracker, folder: Path, values: Mapping[str, float]) -> None:
    """``reconcile`` for the parent of the trials of a search."""
    run_id = _noted(folder)
    if run_id is not None and tracker.status(run_id) not in (None, "FINISHED"):
        tracker.start(folder.name, {}, {}, {}, run_id)
        close_search(tracker, folder, values)


def reconcile(tracker: Tracker, run: Run, parts: Sequence[str], params: Mapping[str, Any]) -> None:
    """Complete the tracked run of a complete folder if the process was killed before doing so."""
    run_id = run.metrics["mlflow_run_id"]
    if run_id is not None and tracker.status(run_id) not in (None, "FINISHED"):
        logger.info("MLflow run %s was not closed; it is completed from %s", run_id, run.folder)
        _transfer(tracker, run, parts, params, run_id)


def reconcile_members(tracker: Tracker, folder: Path, summary: Mapping[str, Any]) -> None:
    """``reconcile`` for the parent of several seeds or folds."""
    run_id = _noted(folder)
    if run_id is not None and tracker.status(run_id) not in (None, "FINISHED"):
        tracker.start(folder.name, {}, {}, {}, run_id)
        close_members(tracker, folder, summary)


def upload(tracker: Tracker, run: Run, parts: Sequence[str], params: Mapping[str, Any]) -> str | None:
    """Track a finished run from its folder, epochs included; store the id in ``metrics.json`` and return it.

    A run that the store already has is completed if it is unfinished, else left unchanged.
    """
    before = run.metrics["mlflow_run_id"] or _noted(run.folder)
    status = None if before is None else tracker.status(before)
    if status == "FINISHED":
        added = add_model(tracker, run.folder, run.metrics, before)
        missing = "only its model is added" if added else "nothing is uploaded"
        logger.info("%s is already tracked as a finished MLflow run; %s", run.folder, missing)
        return before
    if status is not None:
        logger.info("MLflow run %s is %s; it is completed from %s", before, status, run.folder)
    _transfer(tracker, run, parts, params, None if status is None else before)
    return tracker.run_id


def _transfer(tracker: Tracker, run: Run, parts: Sequence[str], params: Mapping[str, Any], run_id: str | None) -> None:
    """Write a finished run to a new tracked run, or add what is missing to ``run_id``."""
    environment = run.files.json(ENVIRONMENT)
    tags = _tags(environment["versions"], environment) | refit_tags(run.metrics.get("refit", {}).get("earlier"))
    tracker.start(_name(parts, run.folder), params, tags, run.metrics["data"], run_id)
    for (epoch,), rows in run.history.group_by("epoch", maintain_order=True):
        tracker.epoch(int(str(epoch)), dict(zip(rows["metric"], rows["value"], strict=True)))
    if tracker.run_id is not None:
        metrics = {**run.metrics, "mlflow_run_id": tracker.run_id}
        if metrics != run.metrics:
            rewrite(run.folder, METRICS, metrics)
        close_run(tracker, run.folder, metrics)


def _uploaded(folder: Path) -> list[Path]:
    """Files of a run folder to upload: those of the run and the manifest with their checksums."""
    manifest = [Path(MANIFEST)] if (folder / MANIFEST).is_file() else []
    return [*lasting_files(folder), *manifest]


def _noted(folder: Path) -> str | None:
    """Id of the tracked run stored in a run folder, or None."""
    noted = folder / CHECKPOINT / TRACKED
    text = noted.read_text(encoding="utf-8", errors="replace") if noted.is_file() else ""
    return text if RUN_ID.fullmatch(text) else None


def _name(parts: Sequence[str], folder: Path) -> str:
    """Name of a tracked run, such as ``mf-bpr-pld (latest)``."""
    return f"{'-'.join(parts)} ({folder.name})"


def _description(folder: Path) -> str:
    """Text of SUMMARY.md without the plots, which are among the artifacts."""
    summary = folder / SUMMARY
    lines = summary.read_text(encoding="utf-8").splitlines() if summary.is_file() else []
    return "\n".join(line for line in lines if not line.startswith("![")).strip()


def _final(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Final metrics of a run: ``test/recall@10``, ``popularity/recall@10``, ``timing/epoch_s``."""
    parts = {
        f"{part}/{name}": value for part in ("test", "popularity", "timing") for name, value in metrics[part].items()
    }
    if "refit" in metrics:
        groups = metrics["refit"]["groups"]
        decisive = next(group for group in groups if group["group"] == metrics["refit"]["decided_on"])
        parts |= {f"refit/{name}": decisive[name] for name in ("earlier", "refitted", "difference", "low", "high")}
        parts["refit/promote"] = float(metrics["refit"]["promote"])
    return parts | {"best_epoch": metrics["best_epoch"], "epochs": metrics["epochs"]}


def _tags(packages: Mapping[str, Any], git: Mapping[str, Any]) -> dict[str, str]:
    """Tags with package versions and the commit."""
    tags = {f"version.{name}": str(version) for name, version in packages.items() if version is not None}
    if "git_commit" in git:
        tags |= {"mlflow.source.git.commit": git["git_commit"], "git_dirty": str(git["git_dirty"]).lower()}
    return tags

"""Test results of runs, and the check that they are comparable."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from recpair.data.fingerprint import same_kind
from recpair.errors import RunError
from recpair.evaluation.names import metric_options
from recpair.registry import nearest, options
from recpair.run.folder import PER_USER, SEEDS, RunFolder, consistent
from recpair.signatures import Reference

logger = logging.getLogger("recpair")

MEASURING = ("mask_seen", "ideal", "gain")  # keys of evaluate that change per-user values
SPLITTING = ("split", "filter")  # sections that determine the test events


@dataclass(frozen=True)
class Measurement:
    """Test set of a run: its events, its users, and the options that change per-user values.

    Attributes:
        fingerprint: fingerprint of the test events, the catalogue and the masked items (``evaluation_fingerprint``);
            of the whole data set in runs of earlier versions.
        measuring, splitting: option values by dotted config key.
        users: ids of the test users, ascending.
        of_test: whether the fingerprint is that of the test set.
    """

    name: str
    fingerprint: str
    measuring: dict[str, object]
    splitting: dict[str, object]
    users: pl.Series
    of_test: bool

    @classmethod
    def of(cls, folder: RunFolder, data: Mapping[str, str], users: pl.Series) -> "Measurement":
        """Read the test set of a run from its ``data`` record and its config; missing keys have their defaults."""
        config, defaults = folder.config(), options(Reference.of("recpair.evaluation.evaluator:Evaluator"))
        measuring = {f"evaluate.{key}": config["evaluate"].get(key, defaults[key][1]) for key in MEASURING}
        of_metrics = metric_options(config["evaluate"].get("metrics", []))
        return cls(
            folder.path.name,
            data.get("test_fingerprint", data["fingerprint"]),
            measuring | {f"evaluate.metrics ({key})": value for key, value in of_metrics.items()},
            {f"{name}.{key}": value for name in SPLITTING for key, value in config[name].items()},
            users,
            "test_fingerprint" in data,
        )

    def require_same(self, other: "Measurement") -> None:
        """Raise a RunError unless both have the same test events, users and evaluation options."""
        for key, value in self.measuring.items():
            if other.measuring[key] != value:
                raise RunError(
                    f"{self.name} was measured with {key}: {_shown(value)}, {other.name} with {key}: "
                    f"{_shown(other.measuring[key])}; evaluate both in the same way to compare them"
                )
        keys = {**self.splitting, **other.splitting}
        changed = [key for key in keys if self.splitting.get(key) != other.splitting.get(key)]
        comparable = same_kind(self.fingerprint, other.fingerprint)
        of_tests = comparable and self.of_test
        if (comparable and self.fingerprint != other.fingerprint) or (changed and not of_tests):
            why = (
                "different data"
                if not changed
                else f"{changed[0]}: " + " and ".join(_shown(each.splitting.get(changed[0])) for each in (self, other))
            )
            raise RunError(
                f"{self.name} and {other.name} have different test sets ({why}); compare runs on the same test set"
            )
        if not self.users.equals(other.users):
            raise RunError(
                f"{self.name} and {other.name} were tested with different users; compare runs on the same test set"
            )
        if not of_tests:
            logger.info(
                "%s or %s is a run of an earlier version of recpair; whether both have the same test events cannot be checked",
                self.name,
                other.name,
            )


@dataclass(frozen=True)
class Results:
    """Test results of a run, or of a run with several seeds (per-user values are averaged over the seeds).

    Attributes:
        per_user: user_id, train_events, and a column per metric.
        seeds: mean metrics of each seed: a row per seed, a column per metric.
    """

    name: str
    per_user: pl.DataFrame
    seeds: pl.DataFrame
    test: Measurement

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """Read a run folder, or the folder of a run with several seeds.

        Raises:
            RunError: a file is missing or damaged, or the seeds have different test sets.
        """
        return consistent(folder, cls._read)

    @classmethod
    def _read(cls, folder: RunFolder) -> "Results":
        names = folder.json(SEEDS)["runs"] if folder.has(SEEDS) else []
        members = [RunFolder.open(folder.path / name) for name in names] or [folder]
        frames = [member.frame(PER_USER).sort("user_id") for member in members]
        records = [member.metrics() for member in members]
        tests = [
            Measurement.of(member, record["data"], frame["user_id"])
            for member, record, frame in zip(members, records, frames, strict=True)
        ]
        for test in tests[1:]:
            tests[0].require_same(test)
        numbers = frames[0].columns[2:]
        means = np.mean([frame.select(numbers).to_numpy() for frame in frames], axis=0)
        per_user = frames[0].select("user_id", "train_events").hstack(pl.DataFrame(means, schema=numbers))
        seeds = pl.DataFrame([record["test"] for record in records])
        return cls(folder.path.name, per_user, seeds, replace(tests[0], name=folder.path.name))

    def require_metric(self, metric: str) -> None:
        """Raise a RunError unless the run has per-user values of the metric."""
        known = self.per_user.columns[2:]
        if not known:
            raise RunError(f"{self.name} has no test metrics, because it was trained on all events (split.name: whole)")
        if metric not in known:
            raise RunError(
                f"{self.name} has no metric {metric!r} per user{nearest(metric, known)} (known: {', '.join(known)})"
            )


def _shown(value: object) -> str:
    """Return a value as written in a config."""
    return json.dumps(value, ensure_ascii=False, default=str)

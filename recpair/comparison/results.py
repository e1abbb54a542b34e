"""Test results of runs, and the check that they are comparable."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import polars as pl

from recpair.data.fingerprint import same_kind
from recpair.errors import RunError
from recpair.evaluation.names import metric_options
from recpair.registry import nearest, options
from recpair.run.folder import FOLDS, PER_USER, RunFolder, consistent
from recpair.signatures import Reference

logger = logging.getLogger("recpair")

MEASURING = ("mask_seen", "ideal", "gain", "candidates")  # keys of evaluate that change per-user values
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
    """Test results of a run, or of several seeds (per-user values are averaged over the seeds) or folds.

    Attributes:
        per_user: user_id, train_events, and a column per metric; a row per test user, of each fold.
        seeds: mean metrics of each seed: a row per seed, a column per metric. Folds have equal weights in them.
        tests: the test set of each fold; one for a run without folds.
        fold: fold of each row of ``per_user``, from 0; None for a run without folds.
    """

    name: str
    per_user: pl.DataFrame
    seeds: pl.DataFrame
    tests: Sequence[Measurement]
    fold: np.ndarray | None = None

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """Read a run folder, or the folder of several seeds or folds.

        Raises:
            RunError: a file is missing or damaged, or the seeds have different test sets.
        """
        return consistent(folder, cls._read)

    @classmethod
    def _read(cls, folder: RunFolder) -> "Results":
        groups = [[RunFolder.open(folder.path / name) for name in names] for names in folder.groups()]
        name = folder.path.name
        parts = [cls._of_seeds(name, members) for members in groups or [[folder]]]
        if not folder.has(FOLDS):
            return parts[0]
        tests = [replace(part.tests[0], name=f"{name}/fold-{number}") for number, part in enumerate(parts, start=1)]
        seeds = reduce(add, [part.seeds for part in parts]) / len(parts)
        fold = np.repeat(np.arange(len(parts)), [len(part.per_user) for part in parts])
        return cls(name, pl.concat([part.per_user for part in parts]), seeds, tests, fold)

    @classmethod
    def _of_seeds(cls, name: str, members: Sequence[RunFolder]) -> "Results":
        """Read runs with the same test set."""
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
        return cls(name, per_user, seeds, [replace(tests[0], name=name)])

    @property
    def n_folds(self) -> int:
        """Number of folds; 1 for a run without folds."""
        return 1 if self.fold is None else int(self.fold[-1]) + 1

    def of_users(self, metric: str) -> np.ndarray:
        """Value (U,) of each test user; their mean is the metric of the run.

        A user of several folds is one unit of the tests. Over F folds with n_f test users, of U users in all, the value
        of a user is U / F · Σ_f x_f / n_f over the user's folds, so that folds have equal weights.
        """
        if self.fold is None:
            return self.per_user[metric].to_numpy()
        share = 1 / (self.n_folds * np.bincount(self.fold)[self.fold])
        users, user = np.unique(self.per_user["user_id"].to_numpy(), return_inverse=True)
        return len(users) * np.bincount(user, self.per_user[metric].to_numpy() * share)

    def require_same_test(self, other: "Results") -> None:
        """Raise a RunError unless both have the same folds, and in each the same test set."""
        if self.n_folds != other.n_folds:
            raise RunError(
                f"{self.name} has {self.n_folds} folds, {other.name} has {other.n_folds}; compare runs on the same folds"
            )
        for ours, theirs in zip(self.tests, other.tests, strict=True):
            ours.require_same(theirs)

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

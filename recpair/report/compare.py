"""Runs side by side: means, intervals over users, paired tests against the first."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair import files
from recpair.data.fingerprint import same_kind
from recpair.errors import RunError
from recpair.evaluation.names import metric_options
from recpair.evaluation.significance import holm, paired
from recpair.registry import nearest, options
from recpair.serving.asked import is_list
from recpair.serving.run_folder import PER_USER, SEEDS, RunFolder, consistent
from recpair.signatures import Reference

logger = logging.getLogger("recpair")

PLOT_ENDINGS = (".png", ".pdf", ".svg")
MEASURING = ("mask_seen", "ideal", "gain")  # keys of evaluate that change the values of a user
SPLITTING = ("split", "filter")  # sections that decide which events are tested


@dataclass(frozen=True)
class Measurement:
    """The test of a run: its events, its users, and the options that change a user's values.

    Attributes:
        fingerprint: of the test events, the catalogue and the masked items (``evaluation_fingerprint``); of the
            whole data set in runs of earlier versions.
        measuring, splitting: values by dotted config key.
        users: ids of the test users, ascending.
        of_test: whether the fingerprint is that of the test.
    """

    name: str
    fingerprint: str
    measuring: dict[str, object]
    splitting: dict[str, object]
    users: pl.Series
    of_test: bool

    @classmethod
    def of(cls, folder: RunFolder, data: Mapping[str, str], users: pl.Series) -> "Measurement":
        """The test of a run from its ``data`` record and its config, where missing keys have their defaults."""
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
        """Raise a RunError unless both are tests of the same events of the same users, measured in the same way."""
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
                "%s or %s is a run of an earlier version of recpair; that both have the same test events cannot be checked",
                self.name,
                other.name,
            )


@dataclass(frozen=True)
class Results:
    """The test results of a run, or of the same run with several seeds (per-user values are their means).

    Attributes:
        per_user: user_id, train_events, and a column per metric.
        seeds: the means of each seed: a row per seed, a column per metric.
    """

    name: str
    per_user: pl.DataFrame
    seeds: pl.DataFrame
    test: Measurement

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """Read a run folder, or the folder of a run with several seeds.

        Raises:
            RunError: a file is missing or damaged, or the seeds were not tested alike.
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


def compare(folders: Sequence[Path], metric: str) -> pl.DataFrame:
    """A row per run: its mean with a 95 % bootstrap interval over users, and the first run's paired tests with it.

    Columns: run, seeds, mean, low, high, seed_sd, difference (from the first run), difference_low,
    difference_high, t_test, wilcoxon, and both p-values after Holm's correction over the compared runs.

    Raises:
        RunError: fewer than two runs, an unknown metric, or tests that are not the same.
    """
    if not is_list(folders) or len(folders) < 2:
        raise RunError("compare takes two runs or more; the first is the one that the others are compared with")
    results = [Results.of(folder) for folder in folders]
    first = results[0]
    for each in results:
        first.test.require_same(each.test)
        known = each.per_user.columns[2:]
        if not known:
            raise RunError(f"{each.name} has no test metrics, for every event trained (split.name: whole)")
        if metric not in known:
            raise RunError(
                f"{each.name} has no metric {metric!r} per user{nearest(metric, known)} (known: {', '.join(known)})"
            )
    base = first.per_user[metric].to_numpy()
    rows, tests = [], []
    for each in results:
        values = each.per_user[metric].to_numpy()
        alone, against = paired(values, np.zeros_like(values)), paired(values, base)
        seeds = each.seeds[metric]
        rows.append(
            {
                "run": each.name,
                "seeds": len(seeds),
                "mean": float(values.mean()),
                "low": alone.low,
                "high": alone.high,
                "seed_sd": seeds.std() if len(seeds) > 1 else None,
                "difference": against.difference,
                "difference_low": against.low,
                "difference_high": against.high,
                "t_test": against.t_test,
                "wilcoxon": against.wilcoxon,
            }
        )
        tests.append((against.t_test, against.wilcoxon))
    adjusted = [[None, *holm([test[i] for test in tests[1:]]).tolist()] for i in range(2)]
    columns = [pl.Series("t_test_holm", adjusted[0]), pl.Series("wilcoxon_holm", adjusted[1])]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(*columns)


def draw(table: pl.DataFrame, metric: str, path: Path) -> None:
    """Draw the table of ``compare`` into a file of the ending's kind."""
    from recpair.report import plots  # imports matplotlib

    check_plot(path)
    figure = plots.comparison(table, metric)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of names in a script that the font lacks
        files.write(path, lambda partial: figure.savefig(partial, format=path.suffix[1:].lower(), dpi=130))


def check_plot(path: Path) -> None:
    """Raise a RunError unless a plot can be written to the path by its ending, before the work starts."""
    if path.suffix.lower() not in PLOT_ENDINGS:
        raise RunError(f"{path} has the ending {path.suffix!r}; expected one of {', '.join(PLOT_ENDINGS)}")


def summarise_seeds(folder: Path, members: Sequence[str]) -> dict[str, Any]:
    """Write ``seeds.json``: the members and the mean and standard deviation of each test metric; give it back."""
    records = [RunFolder.open(folder / member).metrics()["test"] for member in members]
    test = {
        name: {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}
        for name in records[0]
        for values in [[record[name] for record in records]]
    }
    summary: dict[str, Any] = {"runs": list(members), "test": test}
    files.write_json(folder / SEEDS, summary)
    return summary


def _shown(value: object) -> str:
    """A value as a config has it."""
    return json.dumps(value, ensure_ascii=False, default=str)

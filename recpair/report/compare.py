"""Runs side by side: means, intervals over users, paired tests against the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair.errors import RunError
from recpair.evaluation.significance import holm, paired
from recpair.registry import nearest
from recpair.report import plots
from recpair.serving import run_folder as files

SAME = ("split", "filter")  # sections that decide what the test is


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
    fingerprint: str
    sections: dict[str, object]

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """Read a run folder, or the folder of a run with several seeds.

        Raises:
            RunError: a file is missing or damaged.
        """
        if (folder / files.SEEDS).is_file():
            members = [folder / name for name in files.read_json(folder, files.SEEDS)["runs"]]
        else:
            members = [folder]
        frames = [files.read_frame(member, files.PER_USER).sort("user_id") for member in members]
        records = [files.read_json(member, files.METRICS) for member in members]
        numbers = frames[0].columns[2:]
        means = np.mean([frame.select(numbers).to_numpy() for frame in frames], axis=0)
        per_user = frames[0].select("user_id", "train_events").hstack(pl.DataFrame(means, schema=numbers))
        config = files.read_config(members[0])
        seeds = pl.DataFrame([record["test"] for record in records])
        sections = {section: config[section] for section in SAME}
        return cls(folder.name, per_user, seeds, records[0]["data"]["fingerprint"], sections)


def compare(folders: Sequence[Path], metric: str) -> pl.DataFrame:
    """A row per run: its mean with a 95 % bootstrap interval over users, and the first run's paired tests with it.

    Columns: run, seeds, mean, low, high, seed_sd, difference (from the first run), difference_low,
    difference_high, t_test, wilcoxon, and both p-values after Holm's correction over the compared runs.

    Raises:
        RunError: fewer than two runs, an unknown metric, or tests that are not the same.
    """
    if len(folders) < 2:
        raise RunError("compare takes two runs or more; the first is the one that the others are compared with")
    results = [Results.of(folder) for folder in folders]
    first = results[0]
    for each in results:
        _require_same_test(first, each)
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
    figure = plots.comparison(table, metric)
    kind = path.suffix.lstrip(".") or "png"
    files.write(path, lambda partial: figure.savefig(partial, format=kind, dpi=130))


def summarise_seeds(folder: Path, members: Sequence[str]) -> dict[str, Any]:
    """Write ``seeds.json``: the members and the mean and standard deviation of each test metric; give it back."""
    records = [files.read_json(folder / member, files.METRICS)["test"] for member in members]
    test = {
        name: {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}
        for name in records[0]
        for values in [[record[name] for record in records]]
    }
    summary: dict[str, Any] = {"runs": list(members), "test": test}
    files.write_json(folder / files.SEEDS, summary)
    return summary


def _require_same_test(first: Results, other: Results) -> None:
    """Raise a RunError unless both were tested on the same events of the same users."""
    if first.fingerprint != other.fingerprint:
        raise RunError(
            f"{first.name} and {other.name} were made with different data; compare runs on the same test set"
        )
    for section in SAME:
        if first.sections[section] != other.sections[section]:
            raise RunError(f"{first.name} and {other.name} differ in {section}; compare runs on the same test set")
    if not first.per_user["user_id"].equals(other.per_user["user_id"]):
        raise RunError(
            f"{first.name} and {other.name} were tested with different users; compare runs on the same test set"
        )

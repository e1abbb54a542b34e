"""Members, weights and paired test of a blend, from its ``metrics.json``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recpair import markdown
from recpair.markdown import escaped

REFIT = (
    "Then each member was trained again on the training and the validation events, with the same settings and the number "
    "of epochs of its best one. The test metrics are those of these members and of their blend with the weights above."
)


def table(metrics: dict[str, Any]) -> pl.DataFrame:
    """Return a row per member, the best one first, and one for the blend: run, model, validation and test metric, weights."""
    record = metrics["blend"]
    metric, members = record["metric"], record["members"]
    rows = [
        {
            "run": Path(member["path"]).name,
            "model": member["model"],
            f"valid {metric}": member["valid"][metric],
            f"test {metric}": member["test"][metric],
            **{name: row[place] for name, row in zip(_groups(record["edges"]), record["weights"], strict=True)},
        }
        for place, member in enumerate(members)
    ]
    own = {"run": "blend", "model": record["calibration"]}
    own |= {f"valid {metric}": record["valid"][metric], f"test {metric}": metrics["test"][metric]}
    return pl.DataFrame([*rows, own])


def verdict(metrics: dict[str, Any]) -> str:
    """Return a line on the paired test of the blend against its best member."""
    record = metrics["blend"]
    test, best = record["paired"], record["members"][0]
    return (
        f"test {record['metric']} of the blend minus that of {best['path']}, the best member on the validation part"
        f"{', trained again' if record['refit'] else ''}: "
        f"{test['difference']:+.4f} ({test['low']:+.4f} to {test['high']:+.4f}), paired t-test p = {test['t_test']:.2g}, "
        f"Wilcoxon p = {test['wilcoxon']:.2g}"
    )


def summary(metrics: dict[str, Any]) -> list[str]:
    """Return the lines on members, weights and the paired test for SUMMARY.md."""
    record, frame = metrics["blend"], table(metrics)
    cells = [["" if v is None else f"{v:.4f}" if isinstance(v, float) else escaped(v) for v in r] for r in frame.rows()]
    n = len(record["weights"]) * (len(record["members"]) - 1)
    return [
        *markdown.table(frame.columns, cells, left=2),
        "",
        f"The weights ({n} free parameters) and the calibration ({record['calibration']}) were chosen by validation "
        f"{record['metric']} in {record['readings']} readings of the validation part.",
        "",
        *([REFIT, ""] if record["refit"] else []),
        f"{escaped(verdict(metrics))}.",
        "",
    ]


def _groups(edges: Sequence[int]) -> list[str]:
    """Return the titles of the weights of each group of users."""
    if not edges:
        return ["weight"]
    return [*(f"weight to {edge} events" for edge in edges), f"weight above {edges[-1]} events"]

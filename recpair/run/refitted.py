"""Comparison of a refitted run with the earlier run, from its ``metrics.json``."""

from typing import Any

import polars as pl

from recpair import markdown
from recpair.markdown import escaped

KNOWN, UNKNOWN, ALL = "users known to both runs", "users new to the earlier run", "all users"
SHORT = {KNOWN: "known", UNKNOWN: "new", ALL: "all"}


def table(metrics: dict[str, Any]) -> pl.DataFrame:
    """Return a row per group of test users (known to both runs, new, all): means, difference with interval, p-value."""
    columns = ("users", "earlier", "refitted", "difference", "low", "high", "t_test")
    rows = [
        {"group": SHORT.get(group["group"], group["group"])} | {name: group.get(name) for name in columns}
        for group in metrics["refit"]["groups"]
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def verdict(metrics: dict[str, Any]) -> str:
    """Return the decision with its rule, on one line."""
    record = metrics["refit"]
    group = next(each for each in record["groups"] if each["group"] == record["decided_on"])
    bound = 0.0 - record["margin"] * group["earlier"]
    relation = "above" if record["promote"] else "not above"
    return (
        f"{'promote' if record['promote'] else 'do not promote'}: the 95 % interval of the difference of test "
        f"{record['metric']} ({record['decided_on']}) begins at {group['low']:+.4f}, {relation} {bound:+.4f}, "
        f"the margin of {record['margin']:.1%} of the earlier run's {group['earlier']:.4f}"
    )


def leakage(metrics: dict[str, Any]) -> str:
    """Return a line on the test events among the training events of the earlier run, and on those it cannot rank."""
    record = metrics["refit"]
    return (
        f"{record['leaked_events']:,} of {record['test_events']:,} test events are among the training events of the earlier "
        f"run and are left out of the comparison; {record['events_of_new_items']:,} of the others are of items that the "
        f"earlier run has not trained, and count as its misses"
    )


def summary(metrics: dict[str, Any]) -> list[str]:
    """Return the lines on the comparison for SUMMARY.md."""
    frame, record = table(metrics), metrics["refit"]
    cells = [["" if v is None else f"{v:.4f}" if isinstance(v, float) else str(v) for v in r] for r in frame.rows()]
    return [
        f"Refit of {escaped(record['earlier']['path'])}, test {record['metric']}:",
        "",
        *markdown.table(frame.columns, cells, left=1),
        "",
        f"{escaped(verdict(metrics))}.",
        "",
        f"{leakage(metrics)}.",
        "",
    ]

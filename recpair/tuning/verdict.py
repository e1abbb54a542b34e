"""Verdict of a study in words."""

from typing import Any

import polars as pl

LEVEL = 0.05
Row = dict[str, Any]


def verdict(results: pl.DataFrame, metric: str) -> list[str]:
    """Return sentences on which method to use, for each noise level.

    A method is better (or worse) than the baseline if the paired t-test and Wilcoxon's test, both after Holm's
    correction over the methods of the noise level, have p-values below 0.05, and its mean difference is positive
    (negative).
    """
    levels = results["noise"].unique(maintain_order=True).to_list()
    sentences = []
    for noise in levels:
        rows = results.filter(pl.col("noise") == noise).to_dicts()
        where = "" if levels == [0.0] else "Without added noise: " if noise == 0 else f"With {noise:.0%} added noise: "
        said = _of_level(rows[0], rows[1:], metric)
        sentences += [where + sentence if where else sentence[:1].upper() + sentence[1:] for sentence in said]
    return sentences


def _of_level(base: Row, rows: list[Row], metric: str) -> list[str]:
    better = sorted(
        (row for row in rows if _reliable(row) and row["difference"] > 0), key=lambda row: -row["difference"]
    )
    worse = [row["method"] for row in rows if _reliable(row) and row["difference"] < 0]
    unclear = [row["method"] for row in rows if not _reliable(row)]
    said = []
    if better:
        best = better[0]
        cost = best["epoch_s"] / base["epoch_s"] if base["epoch_s"] and best["epoch_s"] else None
        price = "" if cost is None else f", at {cost:.1f} times the time per epoch"
        others = [row["method"] for row in better[1:]]
        also = f" {_listed(others)} {_is(others)} also better." if others else ""
        said.append(
            f"use {best['method']}: {metric} {best['test']:.4f} instead of {base['test']:.4f} "
            f"({best['difference']:+.4f}, {best['relative']:+.1%}; 95 % interval {best['difference_low']:+.4f} to "
            f"{best['difference_high']:+.4f}){price}.{also}"
        )
    else:
        said.append(
            f"keep {base['method']} ({metric} {base['test']:.4f}): no method is reliably better after an equally long search."
        )
    if worse:
        said.append(f"{_listed(worse)} {_is(worse)} reliably worse than {base['method']}.")
    if unclear:
        said.append(f"for {_listed(unclear)} the difference from {base['method']} may be chance.")
    return said


def _reliable(row: Row) -> bool:
    return bool(max(row["t_test_holm"], row["wilcoxon_holm"]) < LEVEL)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"

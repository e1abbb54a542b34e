"""Helpers shared by the tables of studies, whose cells are lines of JSON lines files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


def read(folder: Path) -> list[Row]:
    """Every cell of every file."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def over_seeds(rows: Sequence[Row], value: Callable[[Row], float]) -> str:
    """Mean, and the standard deviation where there are several seeds."""
    values = [value(row) for row in rows]
    if not values:
        return "–"
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(line)} |" for line in body), ""]

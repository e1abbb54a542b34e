"""The page of the study of defaults, from its rows: python -m benchmarks.defaults.tables"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import cells
from benchmarks.defaults.datasets import READERS, SAMPLED_USERS
from benchmarks.defaults.settings import STAGES

HERE = Path(__file__).parent
Row = dict[str, Any]
TITLES = {
    "final": "Defaults now and before: validation and test",
    "final-sequential": "Sequence models, the last item of each user held out",
    "patient": "Search: start and L2 (validation only)",
    "mf": "Search: learning rate and L2 of mf (validation only)",
    "negatives": "Search: loss and number of negatives of mf (validation only)",
    "neumf": "Search: neumf (validation only)",
    "fitted": "Search: models with a fit of their own (validation only)",
    "sequential": "Search: sequence models, 30 epochs at most (validation only)",
}


CAPTIONS = (
    "Validation NDCG@10, and the best epoch of those trained.",
    "Validation / test NDCG@10, and processor seconds of the whole run. The test part was read once, for this table.",
)


def main() -> None:
    rows = {stage: _rows(stage) for stage in TITLES}
    lines = ["# Tables of the study of defaults", "", "`python -m benchmarks.defaults.tables` writes this page.", ""]
    lines += [f"Samples: {', '.join(f'{n:,} users of {name}' for name, n in SAMPLED_USERS.items())}.", ""]
    for stage, title in TITLES.items():
        if rows[stage]:
            lines += [f"## {title}", "", CAPTIONS[stage.startswith("final")], ""]
            show = _tested if stage.startswith("final") else _validated
            lines += _table(rows[stage], stage, show)
    (HERE / "results" / "tables.md").write_text("\n".join(lines), encoding="utf-8")


def _rows(stage: str) -> dict[tuple[str, str], Row]:
    path = HERE / "results" / f"{stage}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {(row["data"], row["setting"]): row for row in map(json.loads, lines)}


def _table(rows: dict[tuple[str, str], Row], stage: str, show: Callable[[Row], str]) -> list[str]:
    """A line per setting, a column per data set."""
    data = [name for name in READERS if any(name == found for found, _ in rows)]
    labels = [label for label in STAGES[stage] if any(label == found for _, found in rows)]
    body = [[label, *(show(rows[name, label]) if (name, label) in rows else "–" for name in data)] for label in labels]
    return cells.table(["setting", *data], body)


def _validated(row: Row) -> str:
    return (
        f"{row['valid']:.4f} (epoch {row['best_epoch']} of {row['epochs']})" if row["epochs"] else f"{row['valid']:.4f}"
    )


def _tested(row: Row) -> str:
    seconds = f", {row['cpu_s']:.0f} s" if row["epochs"] else ""
    return f"{row['valid']:.4f} / {row['test']:.4f}{seconds}"


if __name__ == "__main__":
    main()

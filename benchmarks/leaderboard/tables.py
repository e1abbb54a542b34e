"""Table of the leaderboard from the recorded cells."""

import json
from pathlib import Path

from benchmarks.cells import table

TITLES = {
    "ml-100k": "MovieLens-100K, 0.8/0.1/0.1 per user at random",
    "gowalla": "Gowalla, published split",
    "amazon-beauty": "Amazon Beauty, leave one out, seen items masked",
}


def write(folder: Path) -> None:
    """Write README.md beside the results: one table per data set, best first."""
    lines = [
        "# Leaderboard",
        "",
        "All items ranked, all users. Each model's settings are the best of its grid (`grids.py`, at most 12 points) on",
        "validation data; the test part is read once per model. Seconds were measured on two shared, busy cores: compare",
        "orders of magnitude. Commands: `python -m benchmarks.leaderboard tune SET MODEL`, then `test`, then `tables`.",
        "Rows without a memory are finished runs (`record SET NAME RUN`): blends in [blends.md](blends.md), whose points are",
        "readings of the validation part; SASRec in [esasrec](../esasrec/README.md); Gowalla, trained on all training events, in",
        "[gowalla.md](../results/gowalla.md). Their seconds to fit are those of the epochs.",
        "",
    ]
    for path in sorted(folder.glob("test-*.jsonl")):
        name = path.stem.removeprefix("test-")
        cells = [json.loads(line) for line in path.read_text().splitlines()]
        metrics = list(cells[0]["test"])
        order = sorted(cells, key=lambda cell: -cell["test"][cell["monitor"]])
        body = [
            [
                f"`{cell['model']}`",
                *(f"{cell['test'][metric]:.4f}" for metric in metrics),
                f"{cell['valid'][cell['monitor']]:.4f}" if cell["valid"] else "–",
                "–" if cell["fit_s"] is None else f"{cell['fit_s']:,.1f}",
                f"{cell['rank_s']:,.1f}",
                cell["memory"] or "–",
                cell.get("settings") or " ".join(o.removeprefix("model.") for o in cell["overrides"]) or "–",
                "–" if cell["points"] is None else str(cell["points"]),
            ]
            for cell in order
        ]
        head = ["model", *metrics, f"validation {cells[0]['monitor']}", "fit, s", "rank all users, s", "memory"]
        lines += [f"## {TITLES.get(name, name)}", "", *table([*head, "settings", "points"], body)]
    (folder.parent / "README.md").write_text("\n".join(lines))

"""Tables and the plot of the SRA-CL study, from its JSON-lines files.

python -m benchmarks.sra_cl.tables benchmarks/sra_cl/results
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.cells import Row, over_seeds, read, table

COLOURS = ("#1f2937", "#dc2626", "#b45309", "#0f766e")
SHOWN = ("hit@10", "ndcg@10", "hit@20", "ndcg@20")
PARTS = {
    "authors": "The authors' backbone setting (post-norm, D 64, dropout 0.5, length 20), its rivals and floors",
    "rivals": "The rivals, each with the best weight of its search",
    "long": "Up to 48 epochs",
    "tuned": "The tuned backbone",
}
SEARCHES = {
    "authors-search": "Search of SRA-CL's setting",
    "weights-search": "Search of the weights of SRA-CL's terms",
    "rivals-search": "Search of the rivals' weights",
    "gru4rec-search": "Search of GRU4Rec, up to 48 epochs",
    "tuned-search": "Search of the backbone",
}


def of_method(rows: Sequence[Row], part: str) -> dict[str, list[Row]]:
    """The measured rows of a part by method, in the order in which they were made."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        if row["key"]["part"] == part and "epoch" in row:
            methods.setdefault(row["key"]["method"], []).append(row)
    return methods


def results(methods: dict[str, list[Row]]) -> list[str]:
    body = []
    for method, rows in methods.items():
        cells = [over_seeds(rows, lambda row, name=name: row["test"][name]) for name in SHOWN]
        cells += [over_seeds(rows, lambda row, name=name: row["masked"][name]) for name in ("hit@10", "ndcg@10")]
        epochs = " ".join(str(row["epoch"]) for row in rows)
        body.append([method, *cells, epochs, f"{np.median([row['epoch_s'] for row in rows]):.1f}", str(len(rows))])
    return table(["method", *SHOWN, "masked hit@10", "masked ndcg@10", "best epochs", "s/epoch", "seeds"], body)


def searched(rows: Sequence[Row], part: str) -> list[str]:
    found = sorted(of_method(rows, part).items(), key=lambda pair: -pair[1][0]["valid"])
    body = [[method, f"{row['valid']:.4f}", f"{row['epoch']} of {row['epochs']}"] for method, (row, *_) in found]
    return table(["setting", "valid NDCG@10, seed 1", "best epoch"], body)


def tests(rows: Sequence[Row], part: str) -> list[str]:
    body = []
    for row in rows:
        if row["key"]["part"] == part and "paired" in row:
            p = row["paired"]
            interval = f"{p['difference']:+.4f} [{p['low']:+.4f}, {p['high']:+.4f}]"
            body.append([row["key"]["method"], interval, f"{p['t_test']:.2g}", f"{p['wilcoxon']:.2g}"])
    head = ["NDCG@10, users' means over three seeds", "difference, 95 % by bootstrap", "paired t: p", "Wilcoxon: p"]
    return table(head, body) if body else []


def groups(methods: dict[str, list[Row]], kind: str) -> list[str]:
    """NDCG@10 in quarters, and what they are quarters of."""
    first = next(iter(methods.values()))[0]["groups"]
    edges = first[f"{kind}_edges"]
    head = [f"≤ {edges[0]}", *(f"≤ {edge}" for edge in edges[1:]), f"> {edges[-1]}"]
    body = [
        [method, *(over_seeds(rows, lambda row, g=g: row["groups"][kind][g]) for g in range(len(edges) + 1))]
        for method, rows in methods.items()
    ]
    return table(["method", *head], body)


def shape(methods: dict[str, list[Row]]) -> list[str]:
    names = sorted({name for rows in methods.values() for name in rows[0]["geometry"]})
    body = [[m, *(over_seeds(rows, lambda row, n=n: row["geometry"][n]) for n in names)] for m, rows in methods.items()]
    return table(["method", *names], body)


def plot(methods: dict[str, list[Row]], path: Path) -> None:
    """NDCG@10 by popularity of the item and by length of the history."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for place, kind, label in zip(
        figure.subplots(1, 2), ("popularity", "length"), ("events of the next item", "events of the user"), strict=True
    ):
        edges = next(iter(methods.values()))[0]["groups"][f"{kind}_edges"]
        ticks = [f"≤ {edges[0]}", *(f"≤ {edge}" for edge in edges[1:]), f"> {edges[-1]}"]
        width = 0.8 / len(methods)
        for number, (method, rows) in enumerate(methods.items()):
            values = np.mean([row["groups"][kind] for row in rows], axis=0)
            x = np.arange(len(values)) + width * (number - (len(methods) - 1) / 2)
            place.bar(x, values, width, label=method, color=COLOURS[number])
        place.set_xticks(range(len(ticks)), ticks)
        place.set_xlabel(f"training {label}, quarters of the test")
        place.spines[["top", "right"]].set_visible(False)
        place.set_ylabel("test NDCG@10")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = read(folder)
    lines = [
        "# SRA-CL on Amazon Beauty: the measured tables",
        "",
        "Made by tables.py; [what it means](../README.md).",
        "",
    ]
    for part, title in PARTS.items():
        methods = of_method(rows, part)
        if not methods:
            continue
        lines += [
            f"## {title}",
            "",
            "Seen items not masked, but for the two columns that say so.",
            "",
            *results(methods),
        ]
        lines += tests(rows, part)
        trained = {name: found for name, found in methods.items() if name.startswith(("SASRec", "SRA-CL"))}
        seeded = {name: found for name, found in trained.items() if len(found) > 1}
        if seeded:
            for kind, label in (("popularity", "training events of the test item"), ("length", "the user's history")):
                lines += [f"NDCG@10 in quarters of the test users, by {label}:", "", *groups(seeded, kind)]
        shaped = {name: found for name, found in methods.items() if found[0]["geometry"]}
        if shaped:
            lines += ["Alignment and uniformity in the last epoch:", "", *shape(shaped)]
        if part == "authors" and seeded:
            plot(seeded, folder / "by_group.png")
    for part, title in SEARCHES.items():
        if of_method(rows, part):
            lines += [f"## {title}", "", *searched(rows, part)]
    (folder / "tables.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

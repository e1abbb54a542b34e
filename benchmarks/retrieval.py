"""Retrieval of nearest items and training histories from the titles of a data set: seconds, memory, recall, examples.

python benchmarks/retrieval.py --data ../shared/data/amazon-beauty
"""

import argparse
import logging
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
from table import page, peak_memory

from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.semantics import ENCODERS
from recpair.semantics.display import near_history, near_item, titles
from recpair.semantics.encoders import normalised
from recpair.semantics.history_vectors import history_vectors
from recpair.semantics.neighbours import Search, nearest
from recpair.semantics.retrieved import Retrieved
from recpair.semantics.text import item_texts

TEMPLATE, K, DECAY, EXACT_BELOW = "{title}. {categories}. {brand}", 10, 0.8, 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with interactions.parquet and items.parquet")
    parser.add_argument("--encoders", nargs="+", default=["wordllama"])
    parser.add_argument("--recall", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "retrieval.md")
    arguments = parser.parse_args()
    logging.getLogger("faiss").setLevel(logging.WARNING)
    events, items = (str(arguments.data / f"{kind}.parquet") for kind in ("interactions", "items"))
    time_column = "position" if "position" in pl.read_parquet_schema(events) else "timestamp"
    data = {"path": events, "items": items, "columns": {"time": time_column}}
    splits = prepare(load_config({"data": data, "split": "leave_last"}))
    texts = item_texts(splits.items, splits.vocabulary.items, TEMPLATE)

    lines = ["| encoder | part | vectors | seconds (processor) | recall@10 found |", "|---|---|---:|---:|---:|"]
    shown: list[str] = []
    for name in arguments.encoders:
        encoder = ENCODERS[name]()
        encoder.encode(["warm-up"])
        vectors, row = timed(lambda encoder=encoder: normalised(encoder.encode(texts)))
        lines.append(f"| {name} | texts to vectors ({vectors.shape[1]}) | {len(texts):,} | {row} | |")
        histories, row = timed(lambda vectors=vectors: history_vectors(splits.train, vectors, DECAY))
        lines.append(f"| {name} | history vectors | {len(histories):,} | {row} | |")
        found = search(name, splits.train, vectors, histories, arguments.recall, lines)
        shown += look(name, found, splits)
    lines += ["", f"Peak memory of the whole process: {peak_memory()}.", ""]
    lines += [
        f"{K} neighbours each, the same user's histories left out; at most {EXACT_BELOW:,} vectors are compared exactly.",
        f"Processor seconds are summed over the threads. The load of the machine was {os.getloadavg()[0]:.1f} at the end:",
        "where it is far above the number of cores, the clock tells of the other programs, and two cores of one's own",
        "need about half of the processor seconds.",
        *shown,
    ]
    page(arguments.out, "Retrieval", f"python benchmarks/retrieval.py --data {arguments.data.name}", lines)


def search(name, train, vectors, histories, recalls, lines) -> Retrieved:
    """The neighbours at the second of the recalls (the default), and a row for each search."""
    own = np.stack([train.indptr[train.user], train.indptr[train.user + 1]], axis=1)
    itself = np.stack([np.arange(len(vectors)), np.arange(len(vectors)) + 1], axis=1)
    of_items, row = timed(
        lambda: nearest(Search(vectors, train.item_counts > 0, itself), k=K, exact_below=EXACT_BELOW, recall=1.0)
    )
    lines.append(f"| {name} | nearest items | {len(vectors):,} | {row} | {of_items.recall:.3f} |")
    kept = None
    for recall in recalls:
        who = Search(histories, np.ones(len(train), dtype=bool), own)
        of_histories, row = timed(
            lambda who=who, recall=recall: nearest(who, k=K, exact_below=EXACT_BELOW, recall=recall)
        )
        asked = int(histories.any(axis=1).sum())
        lines.append(
            f"| {name} | nearest histories, {recall:g} asked for | {asked:,} | {row} | {of_histories.recall:.3f} |"
        )
        kept = of_histories if recall == 0.95 or kept is None else kept
    return Retrieved(vectors, of_items.rows, histories, kept.rows)


def timed(act):
    """Return the result of ``act``, and its elapsed and processor seconds as text."""
    clock, processor = time.perf_counter(), time.process_time()
    given = act()
    return given, f"{time.perf_counter() - clock:.1f} ({time.process_time() - processor:.1f})"


def look(name, found, splits) -> list[str]:
    """The three nearest of a few popular and a few rare items, and of one history, as Markdown."""
    train = splits.train
    names = titles(splits.items, splits.vocabulary.items)
    by_events = np.argsort(-train.item_counts, kind="stable")
    lines = ["", f"## A look: {name}", "", "| item | its three nearest (cosine) |", "|---|---|"]
    for item in by_events[[0, 1, 100, 1_000, 5_000, -300]]:
        near = near_item(found, train, splits.items, int(item)).head(3)
        cells = [f"{title} ({cosine:.2f})" for title, cosine in near.select("title", "cosine").iter_rows()]
        lines.append(f"| {names[item]} | {' · '.join(cells)} |".replace("\n", " "))
    row = int(train.indptr[1_000]) - 1
    lines += ["", "| a history, the latest first | the three nearest of other people |", "|---|---|"]
    for cosine, latest in near_history(found, train, splits.items, row).head(3).select("cosine", "latest").iter_rows():
        lines.append(f"| | {latest} ({cosine:.2f}) |")
    start = int(train.indptr[train.user[row]])
    lines[-3] = lines[-3].replace("| | ", f"| {' · '.join(names[i] for i in train.item[start:row][::-1][:5])} | ", 1)
    return lines


if __name__ == "__main__":
    main()

"""Exported vectors and ONNX models against their runs: top 10 of 1,000 users, sizes and CPU time.

PYTHONPATH=. python benchmarks/export.py RUN RUN …
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import onnxruntime
import polars as pl
from table import page

import recpair
from recpair.errors import RunError
from recpair.integrations.embeddings import Trained
from recpair.integrations.onnx.check import histories_of

USERS, K = 1000, 10
HEAD = (
    "| run | items | format | users | same top 10 | same items | largest difference | size | CPU time of the export |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "export.md")
    given = parser.parse_args()
    lines = [HEAD, "|---|---:|---|---:|---:|---:|---:|---:|---:|"]
    for folder in given.runs:
        run = recpair.load(folder)
        for format in ("vectors", "onnx"):
            with tempfile.TemporaryDirectory() as target:
                if (row := measured(folder.name, run, format, Path(target))) is not None:
                    lines.append(row)
                    print(row, flush=True)
    lines += [
        "",
        f"{USERS:,} users evenly spaced; seen items left out: of faiss, by searching for as many more; of ONNX, by",
        "`exclude_seen`, for a graph of histories with the whole training history. Same top 10: users with the same ten items in",
        "the same order. Largest difference: between the run's scores of both lists, rank by rank; lists that differ have items",
        "of equal scores but for rounding.",
        "",
        "Runs of the committed page: `beauty-sasrec` and `beauty-sasrec-ligr-text` are two of `benchmarks/esasrec/study.py`,",
        "`gowalla-ials` and `gowalla-slim` are `recpair fit` with `configs/gowalla/ials.yaml` and `slim.yaml`. The others are",
        "fitted to all events (`split=whole evaluate.monitor=null`): `gowalla/mf-bpr.yaml` and",
        "`amazon-beauty/gru4rec-softmax.yaml` for one epoch (the latter with `loss=sampled_softmax` and histories of 20),",
        "and `gowalla/item-knn.yaml`.",
    ]
    page(given.out, "Export", "PYTHONPATH=. python benchmarks/export.py RUN RUN …", lines)


def measured(name: str, run: recpair.Run, format: str, folder: Path) -> str | None:
    """Row of the table; None if the model has no such form."""
    started = time.process_time()
    try:
        paths = recpair.export(run, folder, format=format)
    except RunError:
        return None
    seconds = time.process_time() - started
    size = sum(path.stat().st_size for path in paths) / 2**20
    about = Trained.of(run.recommender.train)
    places = np.unique(np.linspace(0, len(about.users) - 1, USERS).astype(np.int64))
    users = about.user_ids.gather(places)
    search = (with_faiss if format == "vectors" else with_onnx)(run, about, folder)
    theirs = about.item_ids.gather(np.concatenate([search(place) for place in places.tolist()]))
    ours = run.recommend(users, k=K)
    equal = (theirs == ours["item_id"]).to_numpy().reshape(len(users), K)
    scores = run.score(ours["user_id"], theirs)["score"].to_numpy()
    difference = np.abs(scores - ours["score"].to_numpy()).max()
    cells = [name, f"{len(about.items):,}", format, f"{len(users):,}", f"{equal.all(1).sum():,}", f"{equal.mean():.2%}"]
    cells += [f"{difference:.1e}", f"{size:,.0f} MiB", f"{seconds:.1f} s"]
    return f"| {' | '.join(cells)} |"


def with_faiss(run: recpair.Run, about: Trained, folder: Path) -> Any:
    """Function from a row of the users to the rows of their ten best unseen items."""
    index = faiss.read_index(str(folder / "items.faiss"))
    vectors = pl.read_parquet(folder / "users.parquet")["vector"].to_numpy()

    def search(place: int) -> np.ndarray:
        seen = np.searchsorted(about.items, np.unique(run.recommender.train.items_of(about.users[place])))
        rows = index.search(vectors[place : place + 1], min(K + len(seen), index.ntotal))[1][0]
        return rows[~np.isin(rows, seen)][:K]

    return search


def with_onnx(run: recpair.Run, about: Trained, folder: Path) -> Any:
    """Function from a row of the users to the rows of their ten best unseen items."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    query = session.get_inputs()[0].name

    def search(place: int) -> np.ndarray:
        users = about.users[place : place + 1]
        given = np.array([place]) if query == "user" else histories_of(run.recommender.train, about, users)
        return session.run(["items"], {query: given, "k": np.array(K), "exclude_seen": np.array(True)})[0][0]

    return search


if __name__ == "__main__":
    main()

"""Exported vectors and ONNX models against the run: top 10 of 1,000 users, sizes and times.

PYTHONPATH=. python benchmarks/export.py --beauty BEAUTY --gowalla GOWALLA --runs RUNS

BEAUTY and GOWALLA are folders with interactions.parquet (and items.parquet). The runs are trained for an epoch, or fitted.
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import onnxruntime
import polars as pl
from table import alternate, page

import recpair
from recpair.errors import RunError
from recpair.integrations.embeddings import Trained
from recpair.integrations.onnx.check import histories_of

USERS, K, CALLS = 1000, 10, 100
TFIDF = ["semantics={name: tfidf, template: '{title}. {categories}. {brand}', min_df: 2}"]
RUNS = {
    "sasrec": ("beauty", "amazon-beauty/sasrec-sampled-softmax.yaml", []),
    "sasrec, ligr, text": ("beauty", "amazon-beauty/sasrec-ligr-text.yaml", TFIDF),
    "gru4rec": ("beauty", "amazon-beauty/gru4rec-softmax.yaml", []),
    "mf": ("gowalla", "gowalla/mf-bpr.yaml", []),
    "lightgcn": ("gowalla", "gowalla/lightgcn-bpr.yaml", []),
    "ials": ("gowalla", "gowalla/ials.yaml", []),
    "item_knn": ("gowalla", "gowalla/item-knn.yaml", []),
}
HEAD = "| | format | users | same top 10 | same items | largest difference | size | export | one user | recpair |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beauty", type=Path, required=True)
    parser.add_argument("--gowalla", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(RUNS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "export.md")
    given = parser.parse_args()
    lines = [HEAD, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name in given.only:
        data, config, more = RUNS[name]
        run = trained(given.runs / name.replace(", ", "-"), config, getattr(given, data), more)
        for format in ("vectors", "onnx"):
            if (row := measured(name, run, format, given.runs)) is not None:
                lines.append(row)
                print(row, flush=True)
    lines += [
        "",
        f"{USERS:,} users evenly spaced; seen items left out: of faiss, by searching for as many more; of ONNX, by",
        "`exclude_seen`, for a graph of histories with the whole training history. Same top 10: users with the same ten items in",
        "the same order. Largest difference: between the run's scores of both lists, rank by rank; lists that differ have items",
        f"of equal scores but for rounding. One user: median of {CALLS} calls, in turns with `run.recommend`.",
        "",
        "Amazon Beauty: leave one out, 12,101 items. Gowalla: published split, 40,981 items. D 64, seed 42, one epoch.",
    ]
    command = "PYTHONPATH=. python benchmarks/export.py --beauty BEAUTY --gowalla GOWALLA --runs RUNS"
    page(given.out, "Export", command, lines)


def trained(folder: Path, config: str, data: Path, more: list[str]) -> recpair.Run:
    """The run of a shipped config after one epoch; a finished one is loaded."""
    if (folder / "metrics.json").exists():
        return recpair.load(folder)
    overrides = ["data.source=null", f"data.path={data / 'interactions.parquet'}", "tracking=null", f"output={folder}"]
    if (data / "items.parquet").exists():
        overrides += [f"data.items={data / 'items.parquet'}", "data.columns.time=position"]
    if not any(name in config for name in ("ials", "item-knn")):
        overrides.append("train.epochs=1")
    return recpair.fit(config, [*overrides, *more])


def measured(name: str, run: recpair.Run, format: str, folder: Path) -> str | None:
    """Row of the table; None if the model has no such form."""
    shutil.rmtree(folder / "exported", ignore_errors=True)
    started = time.perf_counter()
    try:
        paths = recpair.export(run, folder / "exported", format=format)
    except RunError:
        return None
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in paths) / 2**20
    about = Trained.of(run.recommender.train)
    places = np.unique(np.linspace(0, len(about.users) - 1, USERS).astype(np.int64))
    users = about.user_ids.gather(places)
    search = (with_faiss if format == "vectors" else with_onnx)(run, about, folder / "exported")
    theirs = about.item_ids.gather(np.concatenate([search(place) for place in places.tolist()]))
    ours = run.recommend(users, k=K)
    equal = (theirs == ours["item_id"]).to_numpy().reshape(len(users), K)
    scores = run.score(ours["user_id"], theirs)["score"].to_numpy()
    difference = np.abs(scores - ours["score"].to_numpy()).max()
    calls: dict[str, Any] = {"theirs": lambda: search(places[7]), "ours": lambda: run.recommend([users[7]], k=K)}
    alternate(calls, 5)
    medians = {who: statistics.median(taken) * 1e3 for who, taken in alternate(calls, CALLS).items()}
    return (
        f"| {name} | {format} | {len(users):,} | {equal.all(1).sum():,} | {equal.mean():.2%} | {difference:.1e} "
        f"| {size:,.0f} MiB | {seconds:.1f} s | {medians['theirs']:.2f} ms | {medians['ours']:.2f} ms |"
    )


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
        return session.run(["items"], {query: given, "k": np.array(K)})[0][0]

    return search


if __name__ == "__main__":
    main()

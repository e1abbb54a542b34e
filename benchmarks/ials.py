"""iALS on Gowalla's published split: the fit by each solver, compared with implicit's.

PYTHONPATH=/path/to/implicit python benchmarks/ials.py --data ../shared/data/gowalla/interactions.parquet

implicit 0.7.3 is not a dependency: pip install --no-deps --target /path/to/implicit implicit tqdm
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets it
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as implicit asks for

import numba
import polars as pl
import torch
from implicit.cpu.als import AlternatingLeastSquares
from table import page, summary

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.evaluation.evaluator import Evaluator
from recpair.models.ials import IALS
from recpair.seeds import isolated

WEIGHT, RIDGE, DIM, ITERATIONS = 100.0, 50.0, 64, 15  # as configs/gowalla/ials.yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "ials.md")
    arguments = parser.parse_args()
    numba.set_num_threads(arguments.threads)
    train, test = parts(arguments.data)
    fits: dict[str, Callable[[], IALS]] = {
        "implicit 0.7.3, its conjugate gradients": lambda: peer(train, arguments.threads),
        "recpair, `solver: cg`": lambda: ours(train, "cg"),
        "recpair, `solver: exact`": lambda: ours(train, "exact"),
    }
    wall, cpu, models = {name: [] for name in fits}, {name: [] for name in fits}, {}
    ours(train, "cg")  # compile
    for _ in range(arguments.rounds):
        for name, fit in fits.items():
            started, used = time.perf_counter(), time.process_time()
            models[name] = fit()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    evaluator = Evaluator(train, test, metrics=["recall", "ndcg"], cutoffs=[20])
    lines = ["| | fit | median CPU time | test Recall@20 | NDCG@20 |", "|---|---:|---:|---:|---:|"]
    for name, model in models.items():
        means = evaluator.evaluate(model).means
        lines.append(
            f"| {name} | {summary(wall[name])} | {statistics.median(cpu[name]):.2f} s | {means['recall@20']:.4f} | "
            f"{means['ndcg@20']:.4f} |"
        )
    lines += [
        "",
        f"{train.n_users:,} users × {train.n_items:,} items, {len(train):,} training events, D {DIM}, {ITERATIONS} iterations, "
        f"weight {WEIGHT:g}, ridge {RIDGE:g}, {arguments.threads} threads, {arguments.rounds} rounds in turns. implicit "
        f"starts from other random vectors.",
    ]
    command = "PYTHONPATH=/path/to/implicit python benchmarks/ials.py --data FILE"
    page(arguments.out, "iALS", command, lines)


def parts(path: Path) -> tuple[Interactions, Interactions]:
    """Training and test part of the published split."""
    events = pl.read_parquet(path)
    vocabulary = Vocabulary.range(events["user_id"].max() + 1, events["item_id"].max() + 1)
    train, test = (events.filter(pl.col("split") == name) for name in ("train", "test"))
    return tuple(
        Interactions.from_indices(part["user_id"].to_numpy(), part["item_id"].to_numpy(), vocabulary=vocabulary)
        for part in (train, test)
    )


def ours(train: Interactions, solver: str) -> IALS:
    """Fit recpair's model."""
    with isolated(0):
        model = IALS(train, embedding_dim=DIM, weight=WEIGHT, ridge=RIDGE, iterations=ITERATIONS, solver=solver)
        model.fit(train)
    return model


def peer(train: Interactions, threads: int) -> IALS:
    """Fit implicit's model of the same objective, and return its vectors."""
    theirs = AlternatingLeastSquares(
        factors=DIM, alpha=1 + WEIGHT, regularization=RIDGE, iterations=ITERATIONS, num_threads=threads, random_state=0
    )
    theirs.fit(train.to_scipy(), show_progress=False)
    model = IALS(train, embedding_dim=DIM)
    model.user_vectors.copy_(torch.from_numpy(theirs.user_factors))
    model.item_vectors.copy_(torch.from_numpy(theirs.item_factors))
    return model


if __name__ == "__main__":
    main()

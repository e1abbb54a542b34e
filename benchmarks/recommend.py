"""Recommendations for one user and for 100 users per call, compared with implicit on the same vectors.

PYTHONPATH=/path/to/implicit python benchmarks/recommend.py

implicit 0.7.3 is not a dependency: pip install --no-deps --target /path/to/implicit implicit tqdm
"""

import argparse
import os
import statistics
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets it
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as implicit asks for

import numpy as np
import polars as pl
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from table import alternate, page

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.models.mf import MF
from recpair.run.folder import RunFolder
from recpair.run.recommend import Recommender
from recpair.run.run import Run

USERS, DIM, EVENTS_PER_USER = 20_000, 64, 40
CONFIG = {"model": {"name": "mf"}, "data": {"columns": None}}
HUNDRED = np.arange(100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "recommend.md")
    arguments = parser.parse_args()
    lines = ["| | items | implicit 0.7.3 | recpair | recpair takes |", "|---|---:|---:|---:|---:|"]
    for n_items in (2_000, 10_000, 40_000):
        lines += measured(n_items, arguments.rounds)
    lines += [
        "",
        f"Medians of {arguments.rounds:,} calls ({arguments.rounds // 10:,} for 100 users), the two in turns; "
        f"{DIM} dimensions, {USERS:,} users, k 10, seen items left out.",
        "",
        "The recommended items are the same. implicit takes indices and returns arrays; recpair takes ids and",
        "returns a polars frame of ids, scores and ranks.",
    ]
    page(
        arguments.out,
        "Recommendations in process",
        "PYTHONPATH=/path/to/implicit python benchmarks/recommend.py",
        lines,
    )


def measured(n_items: int, rounds: int) -> list[str]:
    """Rows of the table for a catalogue of ``n_items``."""
    rng = np.random.default_rng(0)
    rows, columns = (rng.integers(0, n, USERS * EVENTS_PER_USER) for n in (USERS, n_items))
    seen = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (USERS, n_items))
    train = Interactions.from_scipy(seen)
    model = MF(train, embedding_dim=DIM).eval()
    numbers = Run(RunFolder(Path("run"), None), CONFIG, {}, Recommender(model, train), None)
    texts = Run(RunFolder(Path("run"), None), CONFIG, {}, Recommender(model, with_text_ids(train)), None)
    peer = AlternatingLeastSquares(factors=DIM)
    peer.user_factors = model.user_embedding.weight.detach().numpy().copy()
    peer.item_factors = model.item_embedding.weight.detach().numpy().copy()
    check(numbers, peer, seen)
    one = lambda: peer.recommend(7, seen[7], N=10)  # noqa: E731
    cases = {
        "one user a call, integer ids": (one, lambda: numbers.recommend([7], k=10), rounds),
        "one user a call, text ids": (one, lambda: texts.recommend(["u000007"], k=10), rounds),
        "100 users a call": (
            lambda: peer.recommend(HUNDRED, seen[HUNDRED], N=10),
            lambda: numbers.recommend(HUNDRED, k=10),
            rounds // 10,
        ),
    }
    lines = []
    for name, (theirs, ours, times) in cases.items():
        alternate({"theirs": theirs, "ours": ours}, 10)
        seconds = alternate({"theirs": theirs, "ours": ours}, times)
        their, our = (statistics.median(seconds[who]) for who in ("theirs", "ours"))
        lines.append(f"| {name} | {n_items:,} | {their * 1e3:.3f} ms | {our * 1e3:.3f} ms | {our / their:.1f}× |")
    return lines


def with_text_ids(train: Interactions) -> Interactions:
    """The same events under ids such as ``u000007``."""
    users = pl.Series("user_id", [f"u{user:06}" for user in range(USERS)])
    ids = Vocabulary(
        Ids("user", users), Ids("item", pl.Series("item_id", [f"i{item:06}" for item in range(train.n_items)]))
    )
    return Interactions.from_indices(train.user, train.item, vocabulary=ids)


def check(run: Run, peer: AlternatingLeastSquares, seen: sp.csr_matrix) -> None:
    """Both recommend the same items."""
    ours = run.recommend(HUNDRED, k=10)["item_id"].to_numpy().reshape(len(HUNDRED), 10)
    theirs, _ = peer.recommend(HUNDRED, seen[HUNDRED], N=10)
    assert (ours == theirs).mean() > 0.999, "different items"


if __name__ == "__main__":
    main()

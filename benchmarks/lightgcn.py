"""Training steps of LightGCN on Gowalla compared with RecBole, and the sparse graph product alone.

python benchmarks/lightgcn.py --data ../shared/data/gowalla/interactions.parquet
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch
from ranking import indexed
from recbole_peer import config, recbole, write_atomic
from table import alternate, page, summary

from recpair.data.interactions import Interactions
from recpair.losses.bpr import bpr
from recpair.models.lightgcn import LightGCN, mean_of_powers
from recpair.sampling.pairs import PairSampler
from recpair.terms.regularisers.l2 import L2
from recpair.training.objective import Objective

BATCH, STEPS, DIM = 2048, 5, 64


def recbole_steps(folder: Path) -> tuple[Callable[[], None], Interactions]:
    """A few training steps of RecBole's LightGCN, its defaults but for D, and what it trains on."""
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import LightGCN as Theirs

    settings = config(folder, train_batch_size=BATCH, n_layers=3, reg_weight=1e-4, require_pow=True)
    dataset = create_dataset(settings)
    train = data_preparation(settings, dataset)[0]
    with patch.object(sp.dok_matrix, "_update", lambda self, other: self._dict.update(other), create=True):
        model = Theirs(settings, train.dataset)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = itertools.cycle(itertools.islice(iter(train), STEPS))

    def step() -> None:
        for batch in itertools.islice(batches, STEPS):
            optimiser.zero_grad()
            model.calculate_loss(batch).backward()
            optimiser.step()

    return step, indexed(train.dataset, dataset)


def recpair_steps(train: Interactions) -> Callable[[], None]:
    """As many steps of recpair's, sampling included."""
    objective = Objective(LightGCN(train, embedding_dim=DIM, n_layers=3), bpr, terms={"l2": (1e-4, L2())})
    optimiser = torch.optim.AdamW(objective.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    batches = endless(PairSampler(train, 1, 0, batch_size=BATCH))

    def step() -> None:
        for batch in itertools.islice(batches, STEPS):
            optimiser.zero_grad()
            objective(**vars(batch), epoch=1)["loss"].backward()
            optimiser.step()

    return step


def endless(sampler: PairSampler) -> Iterator:
    for epoch in itertools.count(1):
        yield from sampler.epoch(epoch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lightgcn.md")
    arguments = parser.parse_args()
    events = pl.read_parquet(arguments.data).select("user_id", "item_id")
    with tempfile.TemporaryDirectory() as folder, recbole():
        write_atomic(events, Path(folder))
        theirs_step, train = recbole_steps(Path(folder))
        steps = {"RecBole 1.2.1": theirs_step, "recpair": recpair_steps(train)}
        steps["recpair"]()  # compile
        seconds = alternate(steps, 3)
    model = LightGCN(train, embedding_dim=DIM)
    nodes = torch.randn(train.n_users + train.n_items, DIM)
    graph = model.graph
    coo = sp.csr_matrix((graph.values, graph.indices, graph.indptr)).tocoo()
    dense = torch.sparse_coo_tensor(
        torch.tensor(np.stack([coo.row, coo.col])), torch.tensor(coo.data), coo.shape
    ).coalesce()
    products = {
        "sparse COO product of torch": lambda: [torch.sparse.mm(dense, nodes) for _ in range(3)],
        "recpair's": lambda: mean_of_powers(nodes, graph, 3),
    }
    layers = alternate(products, 5)
    theirs = statistics.median(seconds["RecBole 1.2.1"])
    epoch = -(-len(train) // BATCH) / STEPS
    lines = [f"| {STEPS} steps of {BATCH:,} pairs | time | an epoch of {len(train):,} events | against RecBole |"]
    lines.append("|---|---|---|---:|")
    for name, taken in seconds.items():
        whole, times = statistics.median(taken) * epoch, theirs / statistics.median(taken)
        lines.append(f"| {name} | {summary(taken)} | {whole:.0f} s | {times:.1f}× |")
    lines += ["", "| three layers, forward only | time |", "|---|---|"]
    lines += [f"| {name} | {summary(taken)} |" for name, taken in layers.items()]
    page(arguments.out, "LightGCN", f"python benchmarks/lightgcn.py --data {arguments.data}", lines)


if __name__ == "__main__":
    main()

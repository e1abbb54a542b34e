"""Uniform negatives for Gowalla: draws per second, compared with RecBole's sampler in the same run.

python benchmarks/sampling.py --data ../shared/data/gowalla/interactions.parquet
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from recbole_peer import config, recbole, write_atomic
from table import alternate, page, summary

from recpair.data.interactions import Interactions
from recpair.sampling import kernels
from recpair.sampling.negatives import Taken
from recpair.sampling.pairs import PairSampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sampling.md")
    parser.add_argument("--draws", type=int, default=5_000_000)
    arguments = parser.parse_args()
    events = pl.read_parquet(arguments.data).select("user_id", "item_id")
    interactions = Interactions.from_polars(events)
    users = np.random.default_rng(0).integers(interactions.n_users, size=arguments.draws)
    taken, out = Taken(interactions), np.empty((arguments.draws, 1), dtype=np.int64)
    key, zero = np.uint64(1), np.uint64(0)

    def ours(kernel):
        return lambda: kernel(key, zero, users, taken.table, interactions.n_items, out)

    with tempfile.TemporaryDirectory() as folder, recbole():
        write_atomic(events, Path(folder))
        from recbole.data import create_dataset, data_preparation

        settings = config(Path(folder))
        dataset = create_dataset(settings)
        train, _, _ = data_preparation(settings, dataset)
        peer, ids = train._sampler, users + 1  # RecBole's id 0 is its padding
        timed = {
            "RecBole 1.2.1, `sample_by_user_ids`": lambda: peer.sample_by_user_ids(ids, None, 1),
            "recpair, one thread (as in training)": ours(kernels.uniform),
            "recpair, all cores": ours(kernels.uniform_on_all_cores),
        }
        ours(kernels.uniform)(), ours(kernels.uniform_on_all_cores)()  # compile
        seconds = alternate(timed, 5)
    base = statistics.median(seconds["RecBole 1.2.1, `sample_by_user_ids`"])
    lines = ["| sampler | time | million draws/s | against RecBole |", "|---|---|---:|---:|"]
    for name, measured in seconds.items():
        median = statistics.median(measured)
        lines.append(f"| {name} | {summary(measured)} | {arguments.draws / median / 1e6:.1f} | {base / median:.0f}× |")
    lines += [
        "",
        f"{arguments.draws:,} draws for uniformly drawn users of all {len(interactions):,} events; exact.",
        "",
    ]
    lines += ["Whole epochs of batches of 8,192 (shuffle, pools, negatives, tensors; one thread):", ""]
    lines += ["| queries | candidates | time | million queries/s |", "|---|---:|---|---:|"]
    for queries in ("interactions", "users"):
        for candidates in (1, 5):
            sampler = PairSampler(interactions, candidates, 1, queries=queries, batch_size=8192)
            epoch = alternate({"epoch": lambda s=sampler: sum(1 for _ in s.epoch(1))}, 3)["epoch"]
            rate = len(interactions) / statistics.median(epoch) / 1e6
            lines.append(f"| {queries} | {candidates} | {summary(epoch)} | {rate:.1f} |")
    page(arguments.out, "Sampling", f"python benchmarks/sampling.py --data {arguments.data}", lines)


if __name__ == "__main__":
    main()

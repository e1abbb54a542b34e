"""Time from an event file to splits, compared with reading the file alone and with RecBole.

python benchmarks/loading.py --millions 1 5 25 --data ../shared/data/gowalla/interactions.parquet
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from table import alternate, page, peak_memory, summary

from recpair.experiment.loading import load_config
from recpair.experiment.prepare import evaluators_of, prepare

ROUNDS = 3
LARGE = 10  # millions of events from which on the first variant alone is measured
PEER = "RecBole 1.2.1, `.inter`"
VARIANTS = {"ratio": "integer ids, split: ratio", "leave_last": "integer ids, split: leave_last"}
VARIANTS |= {"predefined": "integer ids, split: predefined", "text": "text ids, split: ratio"}


def synthetic(n: int, path: Path) -> None:
    """n events in random order: 50 a user in the mean (log-normal), items by Zipf's law, ratings, seconds as times."""
    generator = np.random.default_rng(0)
    n_users, n_items = n // 50, max(n // 250, 1000)
    activity = generator.lognormal(sigma=1.0, size=n_users)
    user = generator.permutation(np.repeat(np.arange(n_users), generator.multinomial(n, activity / activity.sum())))
    item = generator.permutation(n_items)[(n_items ** generator.random(n)).astype(np.int64) - 1]
    split = np.array(["train", "valid", "test"])[np.searchsorted([0.8, 0.9], generator.random(n))]
    columns = {
        "user_id": user,
        "item_id": item,
        "rating": generator.integers(1, 6, n).astype(np.float32),
        "timestamp": generator.integers(1_200_000_000, 1_600_000_000, n),
        "split": split,
    }
    pl.DataFrame(columns).write_parquet(path)


def variant(name: str, given: Path, folder: Path) -> tuple[Path, dict]:
    """The file that a variant reads, with the columns that it needs, and the variant's split."""
    path = folder / f"{name}.parquet"
    frame = pl.scan_parquet(given, glob=False)
    if name != "predefined":
        frame = frame.drop("split")
    if name == "text":
        frame = frame.with_columns(
            pl.format("user-{}", "user_id").alias("user_id"), pl.format("i{}", "item_id").alias("item_id")
        )
    frame.sink_parquet(path)
    return path, {"name": name if name in ("leave_last", "predefined") else "ratio"}


def measure(path: str, split: dict) -> dict:
    """Seconds (bare read, load) of one file in turns, and the peak memory after each, in this process."""
    config = load_config({"data": {"path": path}, "split": split})

    def load() -> str:
        splits = prepare(config)
        evaluators_of(config, splits)
        return splits.fingerprint

    pl.read_parquet(path)
    bare = peak_memory()
    started = time.perf_counter()
    load()
    first = time.perf_counter() - started
    return alternate({"bare": lambda: pl.read_parquet(path), "load": load}, ROUNDS) | {
        "first": first,
        "peaks": (bare, peak_memory()),
    }


def against_bare_read(millions: list[float], folder: Path) -> list[str]:
    """A row per size and variant, each measured in a separate process."""
    lines = [
        "| events | what | bare read | load | ratio | first load | peak memory, bare | load |",
        "|---:|---|---|---|---:|---:|---:|---:|",
    ]
    for size in millions:
        synthetic(int(size * 1e6), events := folder / "events.parquet")
        for name, title in VARIANTS.items() if size <= LARGE else [next(iter(VARIANTS.items()))]:
            path, split = variant(name, events, folder)
            command = [sys.executable, __file__, "--measure", str(path), json.dumps(split)]
            found = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            ratio = statistics.median(found["load"]) / statistics.median(found["bare"])
            cells = [f"{size:g} M", title, summary(found["bare"]), summary(found["load"]), f"{ratio:.1f}×"]
            cells += [f"{found['first']:.2f} s", *found["peaks"]]
            lines.append(f"| {' | '.join(cells)} |")
            path.unlink()
    return [
        *lines,
        "",
        "Synthetic events with ratings and times, in random order, in a Parquet file: the bare read is",
        "`polars.read_parquet`, the load ends when events are checked, deduplicated, indexed, split and fingerprinted and",
        "both evaluators are ready. The first load of a process includes what Numba takes to load its kernels.",
        f"Both in turns, {ROUNDS} rounds, in one process for each row.",
    ]


def against_recbole(data: Path, folder: Path) -> list[str]:
    """A row for RecBole and one for each format that recpair reads."""
    from recbole_peer import config, recbole, write_atomic

    events = pl.read_parquet(data).select("user_id", "item_id")
    atomic, csv = write_atomic(events, folder), folder / "events.csv"
    events.write_csv(csv)
    split = {"name": "ratio", "fractions": [0.7, 0.1, 0.2]}

    def ours(path):
        return lambda: prepare(load_config({"data": {"path": str(path)}, "split": split})).fingerprint

    def theirs():
        from recbole.data import create_dataset, data_preparation

        settings = config(folder)
        return data_preparation(settings, create_dataset(settings))

    with recbole():
        ours(atomic)(), theirs()  # imports and caches
        timed = {PEER: theirs, "recpair, `.inter`": ours(atomic), "recpair, csv": ours(csv)}
        seconds = alternate(timed, 5)
    base = statistics.median(seconds[PEER])
    lines = ["| | time | against RecBole |", "|---|---|---:|"]
    for name, measured in seconds.items():
        lines.append(f"| {name} | {summary(measured)} | {base / statistics.median(measured):.1f}× |")
    return [
        *lines,
        "",
        f"{len(events):,} events of Gowalla read, checked, indexed, fingerprinted and split 0.7/0.1/0.2 per user.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="*", default=[1, 5, 25])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "loading.md")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure[0], json.loads(arguments.measure[1]))))
        return
    command = f"python benchmarks/loading.py --millions {' '.join(f'{size:g}' for size in arguments.millions)}"
    with tempfile.TemporaryDirectory() as folder:
        lines = against_bare_read(arguments.millions, Path(folder))
        if arguments.data is not None:
            command += f" --data {arguments.data}"
            lines += ["", *against_recbole(arguments.data, Path(folder))]
    page(arguments.out, "Loading", command, lines)


if __name__ == "__main__":
    main()

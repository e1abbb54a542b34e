"""From Gowalla's million events in a text file to ready splits, beside RecBole on the same file.

python benchmarks/loading.py --data ../shared/data/gowalla/interactions.parquet
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import polars as pl
from recbole_peer import config, recbole, write_atomic
from table import alternate, page, peak_memory, summary

from recpair.experiment import prepare
from recpair.schema import load_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "loading.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        events = pl.read_parquet(arguments.data).select("user_id", "item_id")
        atomic = write_atomic(events, Path(folder))
        csv = Path(folder) / "events.csv"
        events.write_csv(csv)
        split = {"name": "ratio", "fractions": [0.7, 0.1, 0.2]}

        def ours(path):
            return lambda: prepare(load_config({"data": {"path": str(path)}, "split": split}))

        def theirs():
            from recbole.data import create_dataset, data_preparation

            settings = config(Path(folder))
            return data_preparation(settings, create_dataset(settings))

        with recbole():
            ours(atomic)(), theirs()  # imports and caches
            timed = {"RecBole 1.2.1, `.inter`": theirs, "recpair, `.inter`": ours(atomic), "recpair, csv": ours(csv)}
            seconds = alternate(timed, 5)
    base = statistics.median(seconds["RecBole 1.2.1, `.inter`"])
    lines = ["| | time | against RecBole |", "|---|---|---:|"]
    for name, measured in seconds.items():
        lines.append(f"| {name} | {summary(measured)} | {base / statistics.median(measured):.1f}× |")
    lines += ["", f"{len(events):,} events read, checked, indexed, fingerprinted and split 0.7/0.1/0.2 per user."]
    lines += [f"Peak memory of the whole process, RecBole's part included: {peak_memory()}."]
    page(arguments.out, "Loading", f"python benchmarks/loading.py --data {arguments.data}", lines)


if __name__ == "__main__":
    main()

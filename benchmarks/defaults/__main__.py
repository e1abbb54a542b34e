"""Study of the defaults on several data sets: a row per (data set, setting), validation only; then the test of the chosen.

    python -m benchmarks.defaults patient --data ../shared/data
    python -m benchmarks.defaults final --data ../shared/data
    python -m benchmarks.defaults.tables

A setting is a list of overrides over "model: NAME" and nothing else. Rows that are already in the results file are
skipped, so the study goes on after an interruption.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import polars as pl
import torch

import recpair
from benchmarks.defaults import datasets
from benchmarks.defaults.settings import STAGES

RESULTS = Path(__file__).parent / "results"
UNTIMED = ("modcloth", "gowalla")  # sets without times, which sequence models need
SPLITS = {"modcloth": "predefined"}  # its own; all others have the default split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=STAGES, help="a list of settings in settings.py")
    parser.add_argument("--data", type=Path, required=True, help="folder with gowalla, modcloth and amazon-beauty")
    parser.add_argument("--sets", nargs="*", choices=datasets.READERS, default=list(datasets.READERS))
    parser.add_argument("--only", nargs="*", default=None, help="labels of settings")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{arguments.stage}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    done = {(row["data"], row["setting"]) for row in map(json.loads, lines)}
    for name in arguments.sets:
        events = None
        for label, overrides in STAGES[arguments.stage].items():
            timed = name not in UNTIMED or not arguments.stage.endswith("sequential")
            if not timed or (name, label) in done or (arguments.only is not None and label not in arguments.only):
                continue
            events = datasets.read(name, arguments.data) if events is None else events
            row = cell(name, events, label, overrides, test=arguments.stage.startswith("final"))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def cell(name: str, events: pl.DataFrame, label: str, overrides: list[str], test: bool) -> dict[str, Any]:
    """Train once; the row has the validation metric and, for the chosen settings only, the test metric."""
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "split": SPLITS.get(name, "ratio"),
            "evaluate": {"metrics": ["ndcg", "recall"], "cutoffs": [10]},
            "tracking": None,
            "output": f"{folder}/run",
        }
        started, busy = time.perf_counter(), time.process_time()
        metrics = recpair.fit(config, overrides, data=events).metrics
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    row = {"data": name, "setting": label, "overrides": overrides, "valid": metrics["valid"]["ndcg@10"]}
    row |= {"best_epoch": metrics["best_epoch"], "epochs": metrics["epochs"], "epoch_s": metrics["timing"]["epoch_s"]}
    if test:
        row |= {"test": metrics["test"]["ndcg@10"], "popular_test": metrics["popularity"]["ndcg@10"]}
    return row | {"seconds": round(seconds, 1), "cpu_s": round(busy, 1)}


if __name__ == "__main__":
    main()

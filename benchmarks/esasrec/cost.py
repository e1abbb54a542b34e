"""Cost of a training step of SASRec on Amazon Beauty with item texts and with gated blocks, relative to neither.

    python benchmarks/esasrec/cost.py --data ../shared/data/amazon-beauty

The variants take turns step by step on the same batches; the ratio is that of medians of processor seconds.
"""

import argparse
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import recpair
from recpair.batch import Batch
from recpair.experiment.build import Components, build
from recpair.experiment.prepare import prepare

LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"loss": {"name": "softmax"}, "sampler": {"negatives": "all"}},
    "sampled softmax, 256 shared negatives": {
        "loss": {"name": "sampled_softmax"},
        "sampler": {"negatives": "uniform", "n_negatives": 256, "shared": True},
    },
    "sampled softmax, 256 negatives per position": {
        "loss": {"name": "sampled_softmax"},
        "sampler": {"negatives": "uniform", "n_negatives": 256},
    },
}
VARIANTS = {
    "sasrec": {},
    "text": {"text": "add"},
    "ligr": {"block": "ligr"},
    "ligr and text": {"block": "ligr", "text": "add"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of interactions.parquet and items.parquet")
    parser.add_argument("--semantics", default="wordllama")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    columns = {"path": f"{arguments.data}/interactions.parquet", "items": f"{arguments.data}/items.parquet"}
    splits = None
    for loss, sections in LOSSES.items():
        trained = {}
        for name, options in VARIANTS.items():
            config = recpair.load_config(
                {
                    "data": columns | {"columns": {"time": "position"}},
                    "split": "leave_last",
                    "model": {"name": "sasrec", "embedding_dim": arguments.dim} | options,
                    "semantics": {"name": arguments.semantics},
                    "loss": sections["loss"],
                    "sampler": {"name": "sequences", "batch_size": 64} | sections["sampler"],
                    "tracking": None,
                    "output": "runs/esasrec-cost",
                }
            )
            splits = splits or prepare(config)
            trained[name] = build(config, splits)
        report(loss, alternating(trained, arguments.steps))


def alternating(trained: dict[str, Components], steps: int) -> dict[str, list[float]]:
    """Processor seconds of each step of each variant."""
    seconds: dict[str, list[float]] = {name: [] for name in trained}
    optimisers = {
        name: torch.optim.AdamW(each.objective.parameters(), lr=0.001, fused=True) for name, each in trained.items()
    }
    for batch in islice(next(iter(trained.values())).sampler.epoch(1), steps):
        for name, each in trained.items():
            started = time.process_time()
            step(each, optimisers[name], batch)
            seconds[name].append(time.process_time() - started)
    return seconds


def step(trained: Components, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    """Take one step of the optimiser."""
    optimiser.zero_grad()
    trained.objective.train()(**vars(batch), epoch=1)["loss"].backward()
    optimiser.step()


def report(loss: str, seconds: dict[str, list[float]]) -> None:
    """Print a row of a table for each variant."""
    plain = statistics.median(seconds["sasrec"])
    for name, each in seconds.items():
        print(
            f"| {loss} | {name} | {1000 * statistics.median(each):.1f} ms | {statistics.median(each) / plain:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""LiGR blocks, sampled softmax and item texts of SASRec on Amazon Beauty. Every run is one line of a JSON-lines file.

    PYTHONPATH=. python benchmarks/esasrec/study.py --data BEAUTY --runs RUNS --out benchmarks/esasrec/results.jsonl

Protocol: leave one out, all users, all items ranked, seen items masked, seed 42, the epoch and the settings chosen by
validation NDCG@10. With ``--test``, the test of the named runs is read. A finished run is not trained again, an
interrupted one is resumed.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import recpair

METRIC = "ndcg@10"
SHARED = {"negatives": "uniform", "n_negatives": 256, "shared": True}
SOFTMAX: dict[str, Any] = {"loss": {"name": "softmax"}, "sampler": {"negatives": "all"}}
SAMPLED: dict[str, Any] = {"loss": {"name": "sampled_softmax"}, "sampler": SHARED}
PER_POSITION: dict[str, Any] = {"loss": {"name": "sampled_softmax"}, "sampler": SHARED | {"shared": False}}
POST, LIGR, TEXT = {"norm": "post"}, {"block": "ligr"}, {"text": "add"}
RUNS: dict[str, dict[str, Any]] = {
    "sasrec, softmax": SOFTMAX | {"model": POST},
    "sasrec, sampled softmax": SAMPLED | {"model": POST},
    "ligr, sampled softmax": SAMPLED | {"model": LIGR},
    "ligr, sampled softmax, negatives per position": PER_POSITION | {"model": LIGR},
    "ligr, softmax": SOFTMAX | {"model": LIGR},
    "ligr, sampled softmax, text": SAMPLED | {"model": LIGR | TEXT},
    "ligr, softmax, text": SOFTMAX | {"model": LIGR | TEXT},
    "sasrec, softmax, text": SOFTMAX | {"model": POST | TEXT},
}


class Printed:
    """Log of a run: a line for each validation."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Print nothing within an epoch."""

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Print the validation value of an epoch, if it has one."""
        if (value := values.get(f"valid/{METRIC}")) is not None:
            print(f"epoch {epoch}: {value:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of interactions.parquet and items.parquet")
    parser.add_argument("--runs", type=Path, required=True, help="run folders")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--set", nargs="*", default=[], help="overrides, part of the name of a run")
    parser.add_argument("--only", nargs="*", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--test", action="store_true", help="read the test, too")
    arguments = parser.parse_args()
    finished = arguments.out.read_text(encoding="utf-8").splitlines() if arguments.out.exists() else []
    known = {(row["run"], "test" in row) for row in map(json.loads, finished)}
    for name in arguments.only:
        run = ", ".join([name, f"{arguments.epochs} epochs", *arguments.set])
        if (run, arguments.test) in known:
            continue
        row = measured(run, name, arguments)
        with arguments.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


def measured(run: str, name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a run unless its folder is complete, and return its validation values."""
    folder = arguments.runs / run.replace(", ", "-").replace(" ", "-").replace("=", "-")
    settings = config(name, arguments) | {"output": str(folder)}
    fitted = recpair.fit(settings, arguments.set, resume=True, log=Printed())
    metrics = fitted.metrics
    row = {"run": run, "valid": metrics["valid"], "epoch": metrics["best_epoch"], "epochs": metrics["epochs"]}
    row |= {"epoch_s": round(metrics["timing"]["epoch_s"], 1)}
    return row | ({"test": metrics["test"]} if arguments.test else {})


def config(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the config of a run."""
    sections = RUNS[name]
    backbone = {"name": "sasrec", "history_length": 50, "embedding_dim": 64, "n_layers": 2, "n_heads": 2}
    data = {"path": f"{arguments.data}/interactions.parquet", "items": f"{arguments.data}/items.parquet"}
    with_text = "text" in sections["model"]
    return {
        "data": data | {"columns": {"time": "position"}},
        "split": "leave_last",
        "sampler": {"name": "sequences", "examples": "positions", "batch_size": 64} | sections["sampler"],
        "model": backbone | {"inner_dim": 256, "dropout": 0.5} | sections["model"],
        "loss": sections["loss"],
        "semantics": {"name": "wordllama", "folder": f"{arguments.runs}/semantics"} if with_text else None,
        "train": {
            "epochs": arguments.epochs,
            "learning_rate": 0.001,
            "decay": "linear",
            "patience": None,
            "validate_every": 3,
            "checkpoint_every": 3,
            "audit_from": 10_000,
            "seed": 42,
        },
        "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [10], "monitor": METRIC, "mask_seen": True},
        "tracking": None,
    }


if __name__ == "__main__":
    main()

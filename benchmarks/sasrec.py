"""SASRec on Amazon Beauty compared with RecBole: seconds per epoch, and test metrics.

python benchmarks/sasrec.py --data ../shared/data/amazon-beauty/interactions.parquet
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import torch
from recbole_peer import recbole
from table import page, peak_memory

import recpair

BACKBONE = {"embedding_dim": 64, "n_layers": 2, "n_heads": 2, "inner_dim": 256, "dropout": 0.5, "norm": "post"}
THEIRS = {
    "hidden_size": 64,
    "n_layers": 2,
    "n_heads": 2,
    "inner_size": 256,
    "loss_type": "CE",
    "train_neg_sample_args": None,
}
THEIRS |= {"hidden_dropout_prob": 0.5, "attn_dropout_prob": 0.5, "train_batch_size": 256, "learning_rate": 0.001}


class Clock:
    """Hears each epoch, and prints its validation metric with the seconds since the start."""

    def __init__(self) -> None:
        self.started, self.busy = time.perf_counter(), time.process_time()
        self.curve: list[tuple[float, float]] = []  # seconds since the start, and validation NDCG@10

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Nothing to note within an epoch."""

    def epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Keep the epoch, and print it."""
        self.curve.append((self.seconds()["total_s"], values["valid/ndcg@10"]))
        print(epoch, f"{values['valid/ndcg@10']:.4f}", {k: round(v) for k, v in self.seconds().items()}, flush=True)

    def seconds(self) -> dict[str, float]:
        """On the wall, and of processors, since the start."""
        return {"total_s": time.perf_counter() - self.started, "busy_s": time.process_time() - self.busy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sasrec.md")
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--peer-epochs", type=int, default=14, help="0 leaves RecBole out")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--set", nargs="*", default=[], help="overrides of recpair's config")
    arguments = parser.parse_args()
    events = pl.read_parquet(arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        ours = train_recpair(arguments, Path(folder))
        theirs = train_recbole(events, Path(folder), arguments.length, arguments.peer_epochs)
    goal = max(value for _, value in (theirs or ours)["curve"])
    lines = ["| | epochs | s an epoch | s in all, with validation | processor s in all |"]
    lines[0] += f" s to validation ndcg@10 {goal:.4f} | test recall@10 | test ndcg@10 |"
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, row in {"recpair": ours, "RecBole 1.2.1": theirs}.items():
        if row:
            reached = next((f"{at:.0f}" for at, value in row["curve"] if value >= goal), "not reached")
            quality = f"{row['recall@10']:.4f} | {row['ndcg@10']:.4f}"
            seconds = f"{row['epoch_s']:.1f} | {row['total_s']:.0f} | {row['busy_s']:.0f} | {reached}"
            lines.append(f"| {name} | {row['epochs']} | {seconds} | {quality} |")
    lines += [
        "",
        f"D 64, 2 layers, 2 heads, inner 256, dropout 0.5, post-norm, length {arguments.length}, cross entropy over all items,",
    ]
    lines += [
        f"{torch.get_num_threads()} threads of torch, {peak_memory()} at most; seen items masked; the last epoch's model"
    ]
    lines += [f"measured. recpair: {' '.join(arguments.set) or 'learning rate 0.001'}."]
    command = f"python benchmarks/sasrec.py --data {arguments.data} --length {arguments.length}"
    page(arguments.out, "SASRec", command, lines)


def train_recpair(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train for a fixed number of epochs and test the last one."""
    config = {
        "data": {"path": str(arguments.data), "columns": {"time": "position"}},
        "split": "leave_last",
        "sampler": {"name": "sequences", "negatives": "all", "batch_size": 64},
        "model": {"name": "sasrec", "history_length": arguments.length} | BACKBONE,
        "loss": "softmax",
        "train": {"epochs": arguments.epochs, "patience": None, "audit_from": 10_000},
        "evaluate": {"cutoffs": [10], "monitor": "ndcg@10"},
        "tracking": None,
        "output": str(folder / "run"),
    }
    clock = Clock()
    metrics = recpair.fit(config, arguments.set, log=clock).metrics
    seconds = clock.seconds()
    row = {"epochs": metrics["epochs"], "epoch_s": metrics["timing"]["epoch_s"], "curve": clock.curve}
    return row | seconds | metrics["test"]


def train_recbole(events: pl.DataFrame, folder: Path, length: int, epochs: int) -> dict[str, Any]:
    """The same data, split and backbone in RecBole, by its own trainer's epochs."""
    if epochs == 0:
        return {}
    write(events, folder)
    with recbole():
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.model.sequential_recommender import SASRec
        from recbole.trainer import Trainer
        from recbole.utils import init_seed

        evaluation = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"}
        settings = Config(
            model="SASRec",
            dataset="beauty",
            config_dict=THEIRS
            | {"data_path": str(folder), "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "state": "ERROR"}
            | {"MAX_ITEM_LIST_LENGTH": length, "eval_args": evaluation, "use_gpu": False, "show_progress": False}
            | {"metrics": ["Recall", "NDCG"], "topk": [10], "valid_metric": "NDCG@10", "checkpoint_dir": str(folder)},
        )
        init_seed(settings["seed"], True)
        dataset = create_dataset(settings)
        train, valid, test = data_preparation(settings, dataset)
        trainer = Trainer(settings, SASRec(settings, train.dataset))
        seconds, clock = [], Clock()
        for epoch in range(epochs):
            began = time.perf_counter()
            trainer._train_epoch(train, epoch)
            seconds.append(time.perf_counter() - began)
            clock.epoch(epoch + 1, {"valid/ndcg@10": float(trainer._valid_epoch(valid)[1]["ndcg@10"])})
        total = clock.seconds()
        found = trainer.evaluate(test, load_best_model=False)
    values = {name: float(found[name]) for name in ("recall@10", "ndcg@10")}
    return values | {"epochs": epochs, "epoch_s": statistics.median(seconds), "curve": clock.curve} | total


def write(events: pl.DataFrame, folder: Path) -> None:
    """The events as RecBole's data set folder."""
    (folder / "beauty").mkdir()
    typed = {"user_id": "user_id:token", "item_id": "item_id:token", "position": "timestamp:float"}
    events.select(pl.col(old).alias(new) for old, new in typed.items()).write_csv(
        folder / "beauty" / "beauty.inter", separator="\t"
    )


if __name__ == "__main__":
    main()

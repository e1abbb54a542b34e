"""Training of RecBole's models inside recpair, and comparison of their metrics with RecBole's trainer.

    python benchmarks/recbole_models.py --out benchmarks/results/recbole_models.md
    python benchmarks/recbole_models.py --sequential --epochs 2   # only sequential models

MovieLens-100K, per-user random split 0.8/0.1/0.1, all items ranked; each model has the defaults of its property file
and is trained by its own loss for a few epochs: enough to see that it learns, not to compare models. Some are also
trained by RecBole's Trainer on the same split, exported by the writer of ``recpair export``.
"""

import argparse
import contextlib
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from recbole_peer import recbole

import recpair
from recpair.errors import RecpairError
from recpair.experiment.export import export
from recpair.integrations.recbole.properties import kind, models

BASE: dict[str, Any] = {
    "data": {"source": "ml-100k"},
    "filter": {"user_core": 1, "item_core": 1},
    "split": {"name": "ratio", "fractions": [0.8, 0.1, 0.1], "by": "user", "order": "random", "seed": 42},
    "sampler": {"name": "pairs", "batch_size": 2048},
    "train": {"learning_rate": 0.005, "seed": 1, "device": "cpu"},
    "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [10], "monitor": "ndcg@10"},
    "tracking": None,
}
SEQUENTIAL: dict[str, Any] = BASE | {
    "split": {"name": "leave_last"},
    "sampler": {"name": "sequences", "examples": "prefixes", "batch_size": 256},
    "train": {"learning_rate": 0.001, "seed": 1, "device": "cpu"},
}
HISTORY = 10  # items that a sequential model reads, in place of 50: a fifth of the time
SECTION = "## Sequential models"
SEQUENTIAL_TEXT = f"""MovieLens-100K, each user's last event the test and the one before it valid, all items ranked; each
model at its property file's defaults but for `history_length: {HISTORY}`, on every prefix of a history
(`sampler.examples: prefixes`), trained by its own loss for a few epochs (learning rate 0.001, batches of 256) on one
thread (`OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1`): enough to see that it learns, not to compare models. Each was saved and
loaded again, and recommended the same."""
SLOW = {"SpectralCF": 1}  # epochs, in place of --epochs
LONG = {  # minutes an epoch on two busy cores
    "ConvNCF": "not run here; hit@1 0.85 on the tests' checkerboard after 20 epochs",
    "DGCF": "not run here; hit@1 1.00 on the tests' checkerboard after 20 epochs",
    "FISM": "not run here; hit@1 1.00 on the tests' checkerboard after 20 epochs",
    "NAIS": "not run here; hit@1 1.00 on the tests' checkerboard after 20 epochs",
    "NNCF": "not run here; hit@1 0.50 on the tests' checkerboard after 20 epochs: it trains, but had not learnt it",
}
OPTIONS = {"NCL": {"num_clusters": 100}}  # the default, 1,000, is more than there are users
COMPARED = ("BPR", "LightGCN", "EASE")
HEAD = "| model | loss | epochs | test ndcg@10 | test recall@10 | seconds an epoch | strangers |"
RULE = "|---|---|---:|---:|---:|---:|---|"


def fit(name: str, epochs: int, folder: Path) -> recpair.Run:
    sequential = kind(name) == "sequential"
    options = {"history_length": HISTORY} if sequential else OPTIONS.get(name, {})
    own = {"model": {"name": f"recbole/{name}"} | options, "output": str(folder / name)}
    return recpair.fit((SEQUENTIAL if sequential else BASE) | own, [f"train.epochs={epochs}"])


def row(name: str, epochs: int, folder: Path) -> str:
    """A line of the table: what the model reached, or why it does not train."""
    if name in LONG:
        return f"| {name} | own | – | {LONG[name]} | – | – | – |"
    started = time.perf_counter()
    try:
        run = fit(name, SLOW.get(name, epochs), folder)
    except RecpairError as error:
        return f"{name}: {str(error).partition('not carried: ')[2] or error}"
    metrics, trained = run.metrics, run.metrics["epochs"]
    again = recpair.load(run.folder)
    assert again.recommend(k=5).equals(run.recommend(k=5)), f"{name} recommends something else when loaded"
    seconds = metrics["timing"]["epoch_s"] if trained else time.perf_counter() - started
    test = f"{metrics['test']['ndcg@10']:.4f} | {metrics['test']['recall@10']:.4f} | {seconds:.1f}"
    return f"| {name} | {'own' if trained else 'fitted'} | {trained or '–'} | {test} | {unknown_users(run)} |"


def unknown_users(run: recpair.Run) -> str:
    """Return "yes" if the model recommends to unknown users, else "no"."""
    try:
        run.recommend(histories=[["50", "181", "172"]], k=10)
    except RecpairError:
        return "no"
    return "yes"


def by_recbole(name: str, epochs: int, data: Path) -> dict[str, float]:
    """Test metrics of RecBole's own trainer on the exported split, after the last epoch."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), recbole():
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import get_model, get_trainer, init_seed

        options = {
            "data_path": str(data.parent),
            "benchmark_filename": ["train", "valid", "test"],
            "load_col": {"inter": ["user_id", "item_id"]},
            "learning_rate": 0.005,
            "train_batch_size": 2048,
            "epochs": epochs,
            "metrics": ["Recall", "NDCG"],
            "topk": [10],
            "valid_metric": "NDCG@10",
            "metric_decimal_place": 6,
            "use_gpu": False,
            "show_progress": False,
            "state": "ERROR",
        }
        config = Config(model=name, dataset=data.name, config_dict=options)
        init_seed(1, True)
        train, valid, test = data_preparation(config, create_dataset(config))
        model = get_model(name)(config, train.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
        trainer.fit(train, valid, saved=False, verbose=False)
        return dict(trainer.evaluate(test, load_best_model=False))


def comparison(epochs: int, folder: Path) -> list[str]:
    """The same models, split, learning rate, batches and epochs, by recpair and by RecBole."""
    lines = ["| model | ndcg@10, recpair | ndcg@10, RecBole | recall@10, recpair | recall@10, RecBole |"]
    lines.append("|---|---:|---:|---:|---:|")
    data = folder / "ml-100k-split"
    for name in COMPARED:
        ours = recpair.load(folder / name)
        if not data.exists():
            export(ours, data)
        theirs = by_recbole(name, epochs, data)
        test = ours.metrics["test"]
        cells = [test["ndcg@10"], theirs["ndcg@10"], test["recall@10"], theirs["recall@10"]]
        lines.append(f"| {name} | " + " | ".join(f"{cell:.4f}" for cell in cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/recbole_models.md"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--models", nargs="*", help="only these")
    parser.add_argument(
        "--sequential", action="store_true", help="the sequential models, as a section of the same file"
    )
    arguments = parser.parse_args()
    arguments.models = arguments.models or models("sequential" if arguments.sequential else "general")
    logging.getLogger("recpair").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = []
        for name in arguments.models:
            rows.append(row(name, arguments.epochs, folder))
            print(rows[-1], flush=True)
        table = sorted((line for line in rows if line.startswith("|")), key=str.lower)
        refused = [f"- {line}" for line in sorted(rows, key=str.lower) if line not in table]
        compared = comparison(arguments.epochs, folder) if set(COMPARED) <= set(arguments.models) else []
    before, _, sequential = (
        arguments.out.read_text(encoding="utf-8").partition(SECTION) if arguments.out.exists() else [""] * 3
    )
    flag = " --sequential" if arguments.sequential else ""
    about = SEQUENTIAL_TEXT.splitlines() if arguments.sequential else __doc__.splitlines()[5:]
    lines = [f"`python benchmarks/recbole_models.py{flag} --epochs {arguments.epochs}`", "", *about, ""]
    lines += [
        "Two shared cores, busy with other work: read the seconds as orders of magnitude.",
        "",
        HEAD,
        RULE,
        *table,
    ]
    lines += ["", "Not carried, and why:", "", *refused, ""]
    if arguments.sequential:
        text = before.rstrip() + "\n\n" + "\n".join([SECTION, "", *lines])
    else:
        text = "\n".join(["# RecBole's models in recpair", "", *lines])
        text += "\n".join(["", "## Beside RecBole's own trainer", "", *compared, ""])
        text += f"\n{SECTION}{sequential}" if sequential else ""
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

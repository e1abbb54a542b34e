"""Study of the denoisers on Gowalla at several noise levels. Every cell is one line of a JSON-lines file.

    python -m benchmarks.denoising.study --data GOWALLA.parquet --part mf-bpr --out benchmarks/denoising/results/mf-bpr.jsonl
    python -m benchmarks.denoising.tables benchmarks/denoising/results

Protocol: users with 10 events or more, 0.7 / 0.1 / 0.2 at random per user, noise of 0 to 0.5 of each user's training
events, all items ranked, NDCG with the full ideal; queries drawn by user. Each of the methods has twelve settings (three
with BCE and with LightGCN), chosen by clean validation Recall@20 at noise 0.2 with seed 1: the plain baseline its
learning rate and L2; the others, on top of the plain baseline's best, their own. Beside the denoisers stands DNS, whose
hard negatives are the opposite of caution; in part ``mf-bpr`` also both together, with the settings found for each. A
cell that is in the file already is not trained again.

Parts: ``mf-bpr``, ``mf-bce`` and ``lightgcn-bpr`` are the grid on a fifth of the users (two cores); ``full`` is MF + BPR
on all users.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.denoising import cell

NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TUNED_AT = 0.2


def grid(**options: tuple[object, ...]) -> list[list[str]]:
    """All combinations, as overrides; ``__`` stands for a dot."""
    return [
        [f"{name.replace('__', '.')}={value}" for name, value in zip(options, values, strict=True)]
        for values in itertools.product(*options.values())
    ]


SEARCH = {
    "none": grid(train__learning_rate=(0.002, 0.005, 0.01), train__l2=(0.003, 0.01, 0.03, 0.1)),
    "t_ce": grid(denoise__drop_rate=(0.05, 0.1, 0.2, 0.3), denoise__grow_epochs=(5, 20, 60)),
    "r_ce": grid(denoise__alpha=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0), denoise__start_epoch=(0, 5)),
    "udt": grid(denoise__candidates=(2, 5, 10), denoise__temperature=(0.05, 0.1, 0.5, 1.0)),
    "dcf": grid(denoise__drop_rate=(0.05, 0.1, 0.2, 0.3), denoise__relabel_rate=(0.0, 0.01, 0.05)),
    "pld": grid(denoise__candidates=(2, 5, 10), denoise__temperature=(0.05, 0.1, 0.5, 1.0)),
    "dns": grid(
        hard_negatives__share=(0.5, 1.0),
        hard_negatives__temperature=("null", 1.0),
        hard_negatives__candidates=(2, 4, 8),
    ),
}
FEW = {name: settings[1::5] for name, settings in SEARCH.items()}  # three settings across each range
FEW["none"] = grid(train__learning_rate=(0.005,), train__l2=(0.003, 0.01, 0.03))
FEW_OF_GRAPH = {  # without T-CE, R-CE and DCF: two cores
    "none": grid(train__learning_rate=(0.01,), train__l2=(0.0005, 0.002, 0.008)),
    **{name: FEW[name] for name in ("udt", "pld", "dns")},
}
FULL = [  # the setting of configs/gowalla/mf-bpr-noise-*.yaml: an L2 as weak as the authors' is
    *["train.learning_rate=0.002", "train.l2=0.001", "train.epochs=120", "train.validate_every=20"],
    "sampler.batch_size=8192",
]
FULL_SEARCH = {  # on all users, where a training takes minutes: a few settings each, tested all
    "none": [
        *grid(train__learning_rate=(0.005,), train__l2=(0.01, 0.003)),
        *grid(train__learning_rate=(0.002,), train__l2=(0.005,)),
    ],
    "pld": grid(denoise__candidates=(5,), denoise__temperature=(0.1,)),
}
PARTS: dict[str, dict[str, Any]] = {
    "mf-bpr": {
        "model": "mf",
        "loss": "bpr",
        "search": SEARCH,
        "seeds": (1, 2, 3, 4, 5),
        "noises": NOISES,
        "epochs": 100,
        "with_dns": ("udt", "pld"),
    },
    "mf-bce": {
        "model": "mf",
        "loss": "bce",
        "search": FEW,
        "seeds": (1, 2, 3),
        "noises": (0.0, 0.2, 0.5),
        "epochs": 100,
    },
    "lightgcn-bpr": {
        "model": "lightgcn",
        "loss": "bpr",
        "search": FEW_OF_GRAPH,
        "seeds": (1, 2, 3),
        "noises": (0.0, 0.2, 0.5),
        "epochs": 40,
    },
}


def config(model: str, loss: str, epochs: int) -> dict[str, Any]:
    return {
        "filter": {"user_core": 10, "item_core": 5},
        "split": {"name": "ratio", "fractions": [0.7, 0.1, 0.2], "seed": 42},
        "sampler": {"batch_size": 2048 if model == "mf" else 4096, "queries": "users"},
        "model": {"name": model, "init": "normal"},
        "loss": {"name": loss},
        "train": {"epochs": epochs, "patience": 4, "validate_every": 5},
        "evaluate": {"monitor": "recall@20"},
        "tracking": None,
    }


class Store:
    """A file of finished cells: what is in it is not done again."""

    def __init__(self, path: Path, data_of: Callable[[dict[str, Any], float], cell.Data]) -> None:
        self.path, self.data_of = path, data_of
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.done = {json.dumps(row["key"] | {"overrides": row["overrides"]}): row for row in map(json.loads, lines)}

    def cell(self, key: dict[str, Any], base: dict[str, Any], overrides: list[str], *, test: bool) -> dict[str, Any]:
        name = json.dumps(key | {"overrides": overrides})
        if name not in self.done:
            started = time.time()
            data = self.data_of(base, key["noise"])
            found = cell.run(data, base, [*overrides, f"train.seed={key['seed']}"], test=test)
            row = {"key": key, "overrides": overrides, **found, "seconds": time.time() - started}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            self.done[name] = row
            print(f"{row['seconds']:6.0f} s  {row['valid']:.4f}  {name}", flush=True)
        return self.done[name]


def with_method(method: str) -> list[str]:
    section = "hard_negatives" if method == "dns" else "denoise"
    return [] if method == "none" else [f"{section}.name={method}"]


def tuned(store: Store, part: dict[str, Any], method: str, basis: list[str]) -> list[str]:
    """The best of a method's settings by clean validation."""
    base = part["config"](part["model"], part["loss"], part["epochs"])
    rows = []
    for setting in part["search"][method]:
        key = {
            "kind": "tune",
            "model": part["model"],
            "loss": part["loss"],
            "method": method,
            "noise": part["tuned_at"],
            "seed": 1,
        }
        overrides = [*basis, *with_method(method), *setting]
        rows.append(store.cell(key | {"setting": setting}, base, overrides, test=False))
    best: list[str] = max(rows, key=lambda row: row["valid"])["overrides"]
    return best


def full_tuned(store: Store, base: dict[str, Any]) -> None:
    """All users at noise 0.2: settings of the plain baseline, then PLD on top of the best by validation."""
    basis: list[str] = []
    for method, settings in FULL_SEARCH.items():
        key = {"kind": "full-tuned", "model": "mf", "loss": "bpr", "method": method, "noise": TUNED_AT, "seed": 1}
        rows = []
        for setting in settings:
            common = ["train.epochs=120", "train.validate_every=10", "sampler.batch_size=8192"]
            overrides = [*common, *basis, *with_method(method), *setting]
            rows.append(store.cell(key | {"setting": [*basis, *setting]}, base, overrides, test=True))
        basis = max(rows, key=lambda row: row["valid"])["key"]["setting"]


def cells(part: dict[str, Any], chosen: dict[str, list[str]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Seed by seed, so that an interrupted study has whole columns."""
    for seed, noise, method in itertools.product(part["seeds"], part["noises"], chosen):
        common = {"kind": "grid", "model": part["model"], "loss": part["loss"]}
        yield common | {"method": method, "noise": noise, "seed": seed}, chosen[method]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=[*PARTS, "full", "full-tuned"], required=True)
    parser.add_argument("--noises", nargs="+", type=float, help="all of the part where not given")
    parser.add_argument("--seeds", nargs="+", type=int, help="all of the part where not given")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    events = pl.read_parquet(arguments.data).select("user_id", "item_id")
    if arguments.part in ("full", "full-tuned"):
        store = Store(arguments.out, partial(cell.Data.injected, events))
        base = config("mf", "bpr", 120) | {"filter": {"user_core": 10}}
        if arguments.part == "full-tuned":
            full_tuned(store, base)
            return
        seeds, noises = arguments.seeds or (1, 2, 3), arguments.noises or (0.2, 0.0, 0.5)
        for seed, noise, method in itertools.product(seeds, noises, ("none", "pld")):
            key = {"kind": "full", "model": "mf", "loss": "bpr", "method": method, "noise": noise, "seed": seed}
            store.cell(key, base, [*FULL, *with_method(method)], test=True)
        return
    users = events["user_id"].unique().sort()
    sample = users.filter(pl.Series(np.random.default_rng(0).random(len(users)) < 0.2))
    store = Store(arguments.out, partial(cell.Data.injected, events.filter(pl.col("user_id").is_in(sample.implode()))))
    cut = {name: given for name in ("seeds", "noises") if (given := getattr(arguments, name))}
    study(store, PARTS[arguments.part] | cut | {"config": config, "tuned_at": TUNED_AT})


def study(store: Store, part: dict[str, Any]) -> None:
    """Search the settings of every method, then train all cells with them."""
    chosen = {"none": tuned(store, part, "none", [])}
    for method in list(part["search"])[1:]:
        chosen[method] = tuned(store, part, method, chosen["none"])
    for method in part.get("with_dns", ()):
        chosen[f"{method}+dns"] = list(dict.fromkeys(chosen[method] + chosen["dns"]))  # no search of their own
    for key, overrides in cells(part, chosen):
        store.cell(key, part["config"](part["model"], part["loss"], part["epochs"]), overrides, test=True)


if __name__ == "__main__":
    main()

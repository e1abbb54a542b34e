"""One training of the denoising study, measured by four rules of choosing the epoch."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.noise_detection import quality
from recpair.experiment.build import Components, build
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.training.checkpoint import Checkpoint
from recpair.training.inspection import event_losses, held_out_losses
from recpair.training.launch import launch
from recpair.training.log import MultiLog
from recpair.training.loop import train
from recpair.training.progress import Progress

METRICS = {"metrics": ["recall", "ndcg"], "cutoffs": [20, 50], "ideal": "full"}
CHOSEN_BY = "recall@20"
RULES = ("clean", "noisy", "trimmed", "best")
TRIM = 0.2
GROUPS = 4  # of items by their clean training events


@dataclass(frozen=True)
class Data:
    """The splits of a cell: as trained on, with noise in validation too, and without any."""

    trained: Splits
    noisy_valid: Interactions
    clean_train: Interactions

    @classmethod
    def injected(cls, events: pl.DataFrame, config: Mapping[str, Any], noise: float) -> "Data":
        """The same split and the same injected events for every method and seed."""
        clean = prepare(load_config(config), events)
        if not noise:
            return cls(clean, clean.valid, clean.train)
        trained = prepare(load_config(config, [f"noise.ratio={noise}"]), events)
        noisy = prepare(load_config(config, [f"noise.ratio={noise}", "noise.valid=true"]), events)
        return cls(trained, noisy.valid, clean.train)


class Measurer:
    """Called at each validation: the metrics of every rule, from one ranking for validation and one for the test."""

    def __init__(self, data: Data, components: Components, seed: int, test: bool) -> None:
        splits = data.trained
        self.data, self.components, self.seed = data, components, seed
        self.noisy = Evaluator(splits.train, data.noisy_valid, **METRICS)
        self.clean = self.noisy.on(splits.valid)
        self.test = Evaluator(splits.train, splits.test, (splits.valid,), **METRICS) if test else None

    def __call__(self) -> dict[str, float]:
        model = self.components.model
        if self.test is None:
            return {f"clean/{name}": value for name, value in self.clean.evaluate(model).means.items()}
        lists = self.noisy.rank(model)
        losses = held_out_losses(self.components.objective, self.data.noisy_valid, self.data.trained.train, self.seed)
        kept = self.data.noisy_valid.select(losses <= np.quantile(losses, 1 - TRIM))
        found = {"noisy": self.noisy.measure(lists)}
        for rule, evaluator in (("clean", self.clean), ("trimmed", self.noisy.on(kept))):
            found[rule] = evaluator.measure(lists[np.isin(self.noisy.users, evaluator.users)])
        found["best"] = self.test.evaluate(model)
        return {f"{rule}/{name}": value for rule, each in found.items() for name, value in each.means.items()}


def run(data: Data, config: Mapping[str, Any], overrides: Sequence[str], *, test: bool = True) -> dict[str, Any]:
    """Train one cell; what it gave by each rule, and what can be said of its positives. Without ``test``, for tuning."""
    checked = load_config(config, overrides)
    components = build(checked, data.trained)
    seed = checked["train"]["seed"]
    measure = Measurer(data, components, seed, test)
    with tempfile.TemporaryDirectory() as folder:
        options = {name: value for name, value in checked["train"].items() if name in train.__kwdefaults__}
        progress = train(
            components.objective,
            components.sampler,
            measure,
            f"clean/{CHOSEN_BY}",
            Checkpoint(Path(folder)),
            MultiLog(),
            launch(device="cpu"),
            **options | {"checkpoint_every": 10_000},
        )
    found: dict[str, Any] = {"valid": progress.best_value, "epoch": progress.best_epoch, "epochs": progress.epoch}
    found["epoch_s"] = float(np.median(progress.epoch_seconds))
    if test:
        found |= {"rules": by_rule(progress), "groups": by_popularity(measure.test, components, data)}
        found["shares"] = {n: last(progress, f"train/noise_share_{n}") for n in ("drawn", "chosen")}
        if data.trained.noise is not None:
            losses = event_losses(components.objective, data.trained.train, seed)
            found["audit"] = quality(data.trained.train, losses, data.trained.noise).row(0, named=True)
    return found


def by_rule(progress: Progress) -> dict[str, dict[str, float]]:
    """The test metrics at the epoch that each rule chooses."""
    curves = pl.DataFrame(progress.history, schema=["epoch", "metric", "value"], orient="row")
    wide = curves.filter(pl.col("metric").str.starts_with("valid/")).pivot("metric", index="epoch", values="value")
    test = [name for name in wide.columns if name.startswith("valid/best/")]
    rows = {rule: wide.row(int(wide[f"valid/{rule}/{CHOSEN_BY}"].arg_max() or 0), named=True) for rule in RULES}
    return {
        rule: {"epoch": row["epoch"]} | {name.removeprefix("valid/best/"): row[name] for name in test}
        for rule, row in rows.items()
    }


def by_popularity(test: Evaluator, components: Components, data: Data) -> list[float]:
    """Share of the held-out items that is found in the top 20, in groups of items with equally many held-out events."""
    lists = test.rank(components.model)[:, :20]
    n_items = data.clean_train.n_items
    owner = np.repeat(test.users, np.diff(test.relevant.indptr)[test.users])
    wanted = test.relevant.rows(test.users).items
    shown = np.unique(np.repeat(test.users, 20) * n_items + lists.ravel())
    hit = np.isin(owner * n_items + wanted, shown)
    popularity = data.clean_train.item_counts[wanted]
    edges = np.quantile(popularity, np.linspace(0, 1, GROUPS + 1)[1:-1])
    group = np.searchsorted(edges, popularity, side="left")
    return [float(hit[group == g].mean()) for g in range(GROUPS)]


def last(progress: Progress, name: str) -> float | None:
    """The last epoch's value of a metric, or None where it was not kept."""
    values = [value for _, metric, value in progress.history if metric == name]
    return values[-1] if values else None

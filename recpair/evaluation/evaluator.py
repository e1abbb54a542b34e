"""Ranks once, measures everything, averages once."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import ConfigError, DataError
from recpair.evaluation.kernels import measure_rows
from recpair.evaluation.metrics import OVER_LISTS, POOLED
from recpair.evaluation.names import PER_USER, check_names
from recpair.evaluation.ranking import top_k_csr
from recpair.models import Model


@dataclass(frozen=True)
class Evaluation:
    """What a ranking was worth.

    Attributes:
        means: ``ndcg@10`` and so on, averaged over users (or over lists).
        per_user: ``user`` (index) and a column per metric of users; rows in order of ``user``.
        n_users: users with held-out events.
        seconds: what scoring, ranking and measuring took; 0 where given lists were measured.
    """

    means: dict[str, float]
    per_user: pl.DataFrame
    n_users: int
    seconds: float = 0.0

    @classmethod
    def of_nothing(cls) -> "Evaluation":
        """Where nothing was held out: no metrics, and nobody to have them."""
        return cls({}, pl.DataFrame(schema={"user": pl.Int32}), 0)


class Evaluator:
    """Ranks all items for every user who has held-out events.

    Memory: scores of at most ``block_mb`` MiB at a time (16 stay in a processor's cache, and are twice as
    fast as 256; one user's scores are the least), beside the lists that are kept (users × the largest
    cut-off, 4 bytes an entry). Of equal scores the lower item index stands first. A held-out
    item that the user also took in training is masked with the training items and counts as missed.
    """

    def __init__(
        self,
        train: Interactions,
        held_out: Interactions,
        also_seen: Sequence[Interactions] = (),
        *,
        metrics: Sequence[str] = ("recall", "ndcg"),
        cutoffs: Sequence[Annotated[int, Field(ge=1)]] = (10, 20),
        mask_seen: bool = True,
        ideal: Literal["cut", "full"] = "cut",
        block_mb: Annotated[int, Field(gt=0)] = 16,
    ) -> None:
        """
        Args:
            train: what was trained on.
            held_out: what is to be found.
            also_seen: further parts that are masked as ``train`` is: validation, when testing. The histories that
                sequence models read come from all of these parts, and end at the user's first held-out event.
            metrics: names of ``METRICS``.
            cutoffs: lengths of the lists that are measured.
            mask_seen: leave what a user has already taken out of the ranking.
            ideal: whether the ideal list of NDCG is cut at K or holds all relevant items.

        Raises:
            ConfigError: an unknown metric, or a cut-off below 1 or larger than the catalogue.
            DataError: there are no held-out events.
        """
        if len(held_out) == 0:
            raise DataError("there are no held-out events to measure with; change split")
        _refuse_impossible(metrics, cutoffs, train.n_items)
        self.names = list(dict.fromkeys(metrics))
        self.train = train
        self.histories = Histories((train, *also_seen), held_out)
        self.cutoffs = sorted(set(cutoffs))
        self.full_ideal = ideal == "full"
        self.block_mb = block_mb
        self._look_for(held_out)
        nothing = ItemLists(np.zeros(train.n_users + 1, dtype=np.int64), np.empty(0, dtype=np.int32))
        self.seen = ItemLists.of_users(train, *also_seen) if mask_seen else nothing

    def _look_for(self, held_out: Interactions) -> None:
        self.held_out, self.relevant = held_out, ItemLists.of_users(held_out)
        self.users = np.flatnonzero(np.diff(self.relevant.indptr))

    def on(self, held_out: Interactions) -> "Evaluator":
        """The same evaluator, which reads the same histories, looking for some of the held-out events."""
        other = copy.copy(self)
        other._look_for(held_out)
        return other

    def evaluate(self, model: Model) -> Evaluation:
        """Rank and measure; the model's mode and the order of its random numbers stay as they are."""
        started = time.perf_counter()
        measured = self.measure(self.rank(model))
        pooled = {
            name: POOLED[name](model, self.histories, self.held_out, device_of(model))
            for name in self.names
            if name in POOLED
        }
        return replace(measured, means=measured.means | pooled, seconds=time.perf_counter() - started)

    @torch.no_grad()
    def rank(self, model: Model) -> np.ndarray:
        """The best items int32 (users, K) of every user who has held-out events, K the largest cut-off."""
        device = device_of(model)
        deepest = self.cutoffs[-1]
        items = np.empty((len(self.users), deepest), dtype=np.int32)
        block = max(1, self.block_mb * 2**20 // (4 * self.train.n_items))
        for start in range(0, len(self.users), block):
            users = self.users[start : start + block]
            scores = model.score(model.batch_of(torch.from_numpy(users).to(device), self.histories)).catalogue()
            seen = self.seen.rows(users)
            found, _ = top_k_csr(scores.float().cpu().numpy(), seen.indptr, seen.items, deepest)
            items[start : start + len(users)] = found
        return items

    def measure(self, items: np.ndarray) -> Evaluation:
        """What lists (users, K) of this evaluator's users are worth, wherever they come from."""
        relevant = self.relevant.rows(self.users)
        cutoffs = np.array(self.cutoffs)
        values = measure_rows(items, relevant.indptr, relevant.items, cutoffs, self.full_ideal)
        columns = {
            f"{name}@{cutoff}": values[:, c, PER_USER.index(name)]
            for name in self.names
            if name in PER_USER
            for c, cutoff in enumerate(self.cutoffs)
        }
        means = {name: float(column.mean()) for name, column in columns.items()}
        for name in self.names:
            if name in OVER_LISTS:
                means |= {f"{name}@{k}": OVER_LISTS[name](items[:, :k], self.train) for k in self.cutoffs}
        per_user = pl.DataFrame({"user": self.users.astype(np.int32)} | columns)
        return Evaluation(means, per_user, len(self.users))

    def by_activity(self, evaluation: Evaluation, metric: str, groups: int = 5) -> pl.DataFrame:
        """Mean of a metric in groups of (nearly) equal size by the users' training events.

        Columns: group (from 0, the least active), from_events, to_events, n_users, mean. Users with the
        same number of events stand in the same group, so there can be fewer groups.

        Raises:
            ConfigError: the metric was not measured, or is none of users.
        """
        known = evaluation.per_user.columns[1:]
        if metric not in known:
            raise ConfigError(f"{metric!r} has no values per user; choose one of {', '.join(known) or 'none'}")
        events = np.diff(self.train.indptr)[evaluation.per_user["user"].to_numpy()]
        edges = np.unique(np.quantile(events, np.linspace(0, 1, groups + 1)[1:-1], method="lower"))
        frame = pl.DataFrame(
            {
                "group": np.searchsorted(edges, events, side="left").astype(np.int32),
                "events": events,
                "value": evaluation.per_user[metric],
            }
        )
        return (
            frame.group_by("group")
            .agg(
                pl.col("events").min().alias("from_events"),
                pl.col("events").max().alias("to_events"),
                pl.len().alias("n_users"),
                pl.col("value").mean().alias("mean"),
            )
            .sort("group")
        )


def device_of(model: Model) -> torch.device:
    """Where a model's numbers lie."""
    return next((t.device for t in (*model.parameters(), *model.buffers())), torch.device("cpu"))


def _refuse_impossible(metrics: Sequence[str], cutoffs: Sequence[int], n_items: int) -> None:
    if not metrics or not cutoffs:
        raise ConfigError("evaluate.metrics and evaluate.cutoffs must name at least one each")
    check_names(metrics)
    for cutoff in cutoffs:
        if cutoff < 1:
            raise ConfigError(f"evaluate.cutoffs: {cutoff} is no length of a list; give numbers from 1")
        if cutoff > n_items:
            raise ConfigError(f"evaluate.cutoffs: {cutoff} is larger than the catalogue of {n_items} items; lower it")

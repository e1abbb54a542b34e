"""Full-ranking evaluation: all items are ranked once, then every metric is computed from the ranked lists."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import ConfigError, DataError
from recpair.evaluation.activity import activity_edges
from recpair.evaluation.gains import rating_gains
from recpair.evaluation.measure import Measure, measures_of
from recpair.evaluation.ranking import top_k_csr
from recpair.evaluation.supplies import Context, Lists
from recpair.models import FittedModel, Model

MEASURED = 2**21  # maximum size of the arrays (lists × ranks) that are measured at once


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a ranking.

    Attributes:
        means: each metric (``ndcg@10``): the mean over users, or one value over all lists.
        per_user: ``user`` (index) and a column per metric with per-user values; rows sorted by ``user``.
        n_users: number of users with held-out events.
        seconds: time of scoring, ranking and measuring; 0 for lists from another source.
    """

    means: dict[str, float]
    per_user: pl.DataFrame
    n_users: int
    seconds: float = 0.0

    @classmethod
    def of_nothing(cls) -> "Evaluation":
        """Evaluation without held-out events: no metrics and no users."""
        return cls({}, pl.DataFrame(schema={"user": pl.Int32}), 0)


class Evaluator:
    """Full-ranking evaluation of all users with held-out events.

    ``view`` is applied to a model before it is evaluated; by default, it returns the model.

    Memory: scores of at most ``block_mb`` MiB at a time (16 fit the processor's cache and are twice as fast as 256; at least
    the scores of one user), and the lists (users × the largest cut-off, 4 bytes per entry). Ties are broken by item index,
    the lower one first. A held-out item that is also among the user's training items is masked and counts as a miss.
    """

    def __init__(
        self,
        train: Interactions,
        held_out: Interactions,
        also_seen: Sequence[Interactions] = (),
        text_vectors: Any = None,
        *,
        metrics: Sequence[str | dict[str, Any]] = ("recall", "ndcg"),
        cutoffs: Sequence[Annotated[int, Field(ge=1)]] = (10, 20),
        mask_seen: bool = True,
        ideal: Literal["cut", "full"] = "cut",
        gain: Literal["binary", "rating"] = "binary",
        block_mb: Annotated[int, Field(gt=0)] = 16,
        candidates: Literal["all", "cold"] = "all",
    ) -> None:
        """
        Args:
            train: the training events.
            held_out: the held-out events.
            also_seen: further parts that are masked like ``train``, for example the validation part when testing. The
                histories that models read come from all these parts, and end at the user's first held-out event.
            text_vectors: unit vectors of the item texts (I, S), dense or CSR, for metrics that need them.
            metrics: names of ``METRICS``; a metric with options as ``{name: debiased_recall, exponent: 1}``.
            cutoffs: lengths K of the ranked lists.
            mask_seen: exclude the items of a user's earlier events from the ranking.
            ideal: whether the ideal list of NDCG is cut at K or holds all relevant items.
            gain: gain of a relevant item in NDCG: 1, or its rating (for repeated events, the highest).
            candidates: rank all items, or only the cold ones: held-out items without a training event. Events of other
                items are then not evaluated.

        Raises:
            ConfigError: an unknown metric or option, or a cut-off below 1 or larger than the number of candidates.
            DataError: there are no held-out events, or the ratings cannot be used as gains.
        """
        if len(held_out) == 0:
            raise DataError("there are no held-out events to evaluate on; change split")
        _refuse_impossible(metrics, cutoffs, train.n_items)
        self.measures = measures_of(metrics)
        self.train, self.text_vectors = train, text_vectors
        self.histories = Histories((train, *also_seen), held_out)
        self.cutoffs = sorted(set(cutoffs))
        self.full_ideal = ideal == "full"
        self.rated = gain == "rating" and any("gains" in each.needs for each in self.measures)
        self.block_mb = block_mb
        self.view: Callable[[Model], Model] = lambda model: model
        self.candidates = None if candidates == "all" else self._cold(held_out)
        self._look_for(held_out)
        nothing = ItemLists(np.zeros(train.n_users + 1, dtype=np.int64), np.empty(0, dtype=np.int32))
        self.seen = ItemLists.of_users(train, *also_seen) if mask_seen else nothing

    def _cold(self, held_out: Interactions) -> np.ndarray:
        """Mask (I,) of the held-out items without a training event."""
        cold: np.ndarray = (held_out.item_counts > 0) & (self.train.item_counts == 0)
        if not cold.any():
            raise ConfigError(
                "evaluate.candidates is cold, but all held-out items have training events; use split: {name: cold_items}"
            )
        if self.cutoffs[-1] > cold.sum():
            raise ConfigError(
                f"evaluate.cutoffs: {self.cutoffs[-1]} is larger than the number of cold items, {int(cold.sum()):,}; lower "
                f"it, or set evaluate.candidates=all"
            )
        return cold

    def _look_for(self, held_out: Interactions) -> None:
        if self.candidates is not None:
            held_out = held_out.select(self.candidates[held_out.item])
        lists = ItemLists.of_users(held_out)
        self.users = np.flatnonzero(np.diff(lists.indptr))
        self.held_out, self.relevant = held_out, lists.rows(self.users)
        self.gains = rating_gains(held_out) if self.rated else None

    def on(self, held_out: Interactions) -> "Evaluator":
        """Return a copy with the same training events and histories, and a subset of the held-out events."""
        other = copy.copy(self)
        other._look_for(held_out)
        return other

    def evaluate(self, model: Model, vectors_of: Model | None = None) -> Evaluation:
        """Rank all items and compute the metrics; the mode and random state of the model are not changed.

        Args:
            vectors_of: the model whose item vectors are used by metrics of vectors; by default ``model``. To compare
                the lists of several models, use the vectors of one of them.

        Raises:
            ConfigError: a metric needs item vectors, and the model does not have them.
        """
        started = time.perf_counter()
        model = self.view(model)
        needs_vectors = vectors_of is not None and any(each.requires("vectors") for each in self.measures)
        context = self._context(model, self.view(vectors_of) if vectors_of and needs_vectors else vectors_of or model)
        self._require_vectors(context)
        measured = self._measured(self.rank(model), self.measures, context)
        return replace(measured, seconds=time.perf_counter() - started)

    def check(self, model: Model) -> None:
        """Raise a ConfigError, before training, if a metric needs item vectors that the model does not have.

        ``evaluate`` checks this as well. A ``FittedModel`` has vectors only after the fit, so it is not checked here.
        """
        if not isinstance(model, FittedModel):
            self._require_vectors(self._context(model, model))

    def _require_vectors(self, context: Context) -> None:
        if self.text_vectors is None and any(each.requires("texts") for each in self.measures):
            raise ConfigError("evaluate.metrics: ils_text needs text_vectors, the vectors of the item texts")
        asking = [each.name for each in self.measures if each.requires("vectors")]
        if asking and context.item_vectors is None:
            raise ConfigError(
                f"evaluate.metrics: {', '.join(asking)} needs item vectors, which {type(context.vectors_of).__name__} does "
                f"not have; drop it, or choose a model such as mf or sasrec"
            )

    def _context(self, model: Model | None = None, vectors_of: Model | None = None) -> Context:
        return Context(self.train, self.held_out, self.histories, model, vectors_of, self.text_vectors)

    @torch.no_grad()
    def rank(self, model: Model) -> np.ndarray:
        """Return the best items, int32 (users, K), of all users with held-out events; K is the largest cut-off."""
        deepest = self.cutoffs[-1]
        items = np.empty((len(self.users), deepest), dtype=np.int32)
        block = max(1, self.block_mb * 2**20 // (4 * self.train.n_items))
        for start in range(0, len(self.users), block):
            users = self.users[start : start + block]
            scores = model.score(model.batch_of(torch.from_numpy(users).to(model.device), self.histories)).catalogue()
            seen, found = self.seen.rows(users), scores.float().cpu().numpy()
            if self.candidates is not None:
                found = np.where(self.candidates, found, np.float32(-np.inf))
            found, _ = top_k_csr(found, seen.indptr, seen.items, deepest)
            items[start : start + len(users)] = found
        return items

    def measure(self, items: np.ndarray) -> Evaluation:
        """Return the metrics of ranked lists (users, K) from any source, except for metrics that need a model."""
        lacking = {"model", "vectors", *(["texts"] if self.text_vectors is None else [])}
        of_lists = [each for each in self.measures if not any(map(each.requires, lacking))]
        return self._measured(items, of_lists, self._context())

    def _measured(self, items: np.ndarray, measures: Sequence[Measure], context: Context) -> Evaluation:
        """Compute per-user metrics, then metrics over all lists, then metrics without a cut-off."""
        columns = self._columns(items, [each for each in measures if each.per_list], context)
        means = {name: float(column.mean()) for name, column in columns.items()}
        lists = self._lists(items, 0, len(items), context)
        over_all = [each for each in measures if not each.per_list]
        for each in sorted(over_all, key=lambda measure: not measure.has_cutoff):
            for name, cutoff in self._cutoffs_of(each):
                means[name] = float(each.compute(lists, cutoff))
        per_user = pl.DataFrame({"user": self.users.astype(np.int32)} | columns)
        return Evaluation(means, per_user, len(self.users))

    def _columns(self, items: np.ndarray, measures: Sequence[Measure], context: Context) -> dict[str, np.ndarray]:
        """Compute the metrics with one value per list, (users,) each, in blocks of lists."""
        names = [name for each in measures for name, _ in self._cutoffs_of(each)]
        columns = {name: np.empty(len(items)) for name in names}
        width = max(items.shape[1], int(np.diff(self.relevant.indptr).max()) if self.full_ideal else 0)
        block = max(1, MEASURED // width)
        for start in range(0, len(items) if measures else 0, block):
            lists = self._lists(items, start, start + block, context)
            for each in measures:
                for name, cutoff in self._cutoffs_of(each):
                    columns[name][start : start + block] = each.compute(lists, cutoff)
        return columns

    def _lists(self, items: np.ndarray, start: int, end: int, context: Context) -> Lists:
        indptr = self.relevant.indptr[start : end + 1]
        rows = slice(indptr[0], indptr[-1])
        relevant = ItemLists(indptr - indptr[0], self.relevant.items[rows])
        gains = None if self.gains is None else self.gains[rows]
        return Lists(items[start:end], relevant, gains, self.full_ideal, context)

    def _cutoffs_of(self, measure: Measure) -> list[tuple[str, int]]:
        """Names and cut-offs of the values of a metric."""
        if not measure.has_cutoff:
            return [(measure.name, self.cutoffs[-1])]
        return [(f"{measure.name}@{cutoff}", cutoff) for cutoff in self.cutoffs]

    def by_activity(self, evaluation: Evaluation, metric: str, groups: int = 5) -> pl.DataFrame:
        """Return the mean of a metric in groups of users of (nearly) equal size, by number of training events.

        Columns: group (from 0, the least active), from_events, to_events, n_users, mean. Users with the
        same number of events are in the same group, so there may be fewer groups.

        Raises:
            ConfigError: the metric was not measured, or has no per-user values.
        """
        known = evaluation.per_user.columns[1:]
        if metric not in known:
            raise ConfigError(f"{metric!r} has no values per user; choose one of {', '.join(known) or 'none'}")
        events = np.diff(self.train.indptr)[evaluation.per_user["user"].to_numpy()]
        edges = activity_edges(events, groups)
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


def _refuse_impossible(metrics: Sequence[Any], cutoffs: Sequence[int], n_items: int) -> None:
    if not metrics or not cutoffs:
        raise ConfigError("evaluate.metrics and evaluate.cutoffs must name at least one each")
    for cutoff in cutoffs:
        if cutoff < 1:
            raise ConfigError(f"evaluate.cutoffs must be at least 1, got {cutoff}")
        if cutoff > n_items:
            raise ConfigError(f"evaluate.cutoffs: {cutoff} is larger than the catalogue of {n_items} items; lower it")

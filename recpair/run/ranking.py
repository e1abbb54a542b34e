"""Rankings of queries as a table of external ids, computed in blocks of queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from recpair.data.vocabulary import Ids
from recpair.evaluation.ranking import top_k_csr
from recpair.run.candidates import Candidates
from recpair.run.diversity import Diversity
from recpair.run.explaining import Explainer, History, as_column

BLOCK_BYTES = 16 * 2**20  # scores held at a time, so that they fit the cache


@dataclass(frozen=True)
class Queries:
    """Queries of a ranking.

    Attributes:
        labels: external id of each query.
        scores: function from positions (B,) in ``labels`` to float32 scores (B, I).
        hidden: function from a position to the items to exclude.
        popular: bool, True for queries that receive the most popular items; None: the model ranks for all queries.
        counts: returns the popularity scores, float32 (I,); only called if ``popular`` has a True.
        history: function from a position to the history, for explanations.
    """

    labels: pl.Series
    scores: Callable[[np.ndarray], np.ndarray]
    hidden: Callable[[int], np.ndarray]
    popular: np.ndarray | None = None
    counts: Callable[[], np.ndarray] | None = None
    history: Callable[[int], History] | None = None


@dataclass(frozen=True)
class Ranker:
    """Top-k ranking; ties go to the lower index.

    Attributes:
        ranked: the items to rank, bool (I,); None: all.
        candidates: the items to rank for each query; None: all.
        diversity: re-ranking of a pool of the best items.
        explainer: adds the column ``explanation``.
    """

    items: Ids
    k: int
    ranked: np.ndarray | None
    candidates: Candidates | None = None
    diversity: Diversity | None = None
    explainer: Explainer | None = None

    @property
    def depth(self) -> int:
        """Number of items with the highest scores that are looked up for each query."""
        return self.k if self.diversity is None else min(len(self.items), self.diversity.pool(self.k))

    def table(self, queries: Queries) -> pl.DataFrame:
        """Return user_id, item_id, score, rank, and ``fallback`` if the queries have ``popular``."""
        size = max(1, BLOCK_BYTES // (4 * len(self.items)))
        starts = range(0, max(1, len(queries.labels)), size)
        frames = [self._block(queries, np.arange(s, min(s + size, len(queries.labels)))) for s in starts]
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def _block(self, queries: Queries, rows: np.ndarray) -> pl.DataFrame:
        if queries.popular is None:
            items, best = self._best(queries, rows)
        else:
            items, best = self._best_or_popular(queries, rows, queries.popular[rows])
        if self.diversity is not None:
            items, best = self.diversity.choose(items, best, self.k)
        found = items >= 0  # fewer than k items are left for a user who has seen nearly all
        query, place = np.nonzero(found)
        columns = [
            _repeated(queries.labels, rows, query).alias("user_id"),
            self.items.of(items[found]).alias("item_id"),
            pl.Series("score", best[found]),
            pl.Series("rank", (place + 1).astype(np.int32)),
        ]
        if queries.popular is not None:
            columns.append(pl.Series("fallback", queries.popular[rows[query]], dtype=pl.Boolean))
        if self.explainer is not None:
            columns.append(as_column(self._explanations(self.explainer, queries, rows, items), self.items))
        return pl.DataFrame(columns)

    def _best_or_popular(
        self, queries: Queries, rows: np.ndarray, popular: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        items = np.empty((len(rows), self.depth), dtype=np.int32)
        best = np.empty((len(rows), self.depth), dtype=np.float32)
        items[~popular], best[~popular] = self._best(queries, rows[~popular])
        if popular.any():
            assert queries.counts is not None
            first = rows[popular] if self.candidates is not None else rows[popular][:1]  # else the same for all
            counts = np.repeat(queries.counts()[np.newaxis], len(first), axis=0)
            items[popular], best[popular] = self._top(queries, first, counts, [np.empty(0, np.int32)] * len(first))
        return items, best

    def _best(self, queries: Queries, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items (B, k) and scores (B, k), −1 and −∞ if no item is left."""
        if len(rows) == 0:
            return np.empty((0, self.depth), dtype=np.int32), np.empty((0, self.depth), dtype=np.float32)
        with torch.no_grad():
            scores = queries.scores(rows)
        return self._top(queries, rows, scores, [queries.hidden(row) for row in rows.tolist()])

    def _top(
        self, queries: Queries, rows: np.ndarray, scores: np.ndarray, hidden: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.ranked is not None:
            scores = np.where(self.ranked, scores, np.float32(-np.inf))
        if self.candidates is not None:
            scores = np.where(self.candidates.mask(queries.labels[rows]), scores, np.float32(-np.inf))
        starts = np.zeros(len(hidden) + 1, dtype=np.int64)
        np.cumsum([len(items) for items in hidden], out=starts[1:])
        ascending = [np.sort(items) for items in hidden]
        return top_k_csr(scores, starts, ascending[0] if len(hidden) == 1 else np.concatenate(ascending), self.depth)

    def _explanations(
        self, explainer: Explainer, queries: Queries, rows: np.ndarray, items: np.ndarray
    ) -> list[list[tuple[int, float]]]:
        """Explanation of each recommended item; the most popular items have none."""
        assert queries.history is not None, "an explanation requires histories"
        lists: list[list[tuple[int, float]]] = []
        for row, own in zip(rows.tolist(), items, strict=True):
            own = own[own >= 0]
            popular = queries.popular is not None and queries.popular[row]
            lists += [[] for _ in own] if popular else explainer.lists(queries.history(row), own)
        return lists


def _repeated(labels: pl.Series, rows: np.ndarray, query: np.ndarray) -> pl.Series:
    """Label of each row of a table; a single user needs no lookup."""
    return labels.new_from_index(int(rows[0]), len(query)) if len(rows) == 1 else labels[rows[query]]

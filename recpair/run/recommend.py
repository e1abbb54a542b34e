"""Recommendations, similar items and pair scores of a model, in external ids."""

import logging
import typing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
import torch

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.errors import RunError, UnknownIdError
from recpair.models import Model, Scorer, Vectors
from recpair.models.popularity import Popularity
from recpair.run.asked import choice, flag, history_columns, id_column, pair_frame, positive_integer, share
from recpair.run.candidates import Candidates
from recpair.run.diversity import Diversity
from recpair.run.explaining import Explainer, History
from recpair.run.ranking import Queries, Ranker
from recpair.run.similarity import ItemSimilarity
from recpair.run.trained_ids import Kind, TrainedIds

logger = logging.getLogger("recpair")

OnUnknown = Literal["raise", "skip", "popular"]

SKIP_OR_POPULAR = "check the ids, or set on_unknown to skip or popular"


@dataclass(frozen=True)
class Recommender:
    """Recommendations in external ids; ties go to the lower item index.

    Users and items without a training event are unknown, even if the data set has them, because the model has not
    learnt anything about them. Unknown items are never recommended. At most 16 MiB of scores are held at a time.
    A recommender is thread-safe, but not fork-safe: the threads of torch and polars do not survive a fork, so a call
    in a forked process would block forever.

    Attributes:
        added: indices of items without a training event that the model was extended by, or None; they are known.
    """

    model: Model
    train: Interactions
    added: np.ndarray | None = None

    def recommend(
        self,
        users: Any = None,
        *,
        histories: Any = None,
        k: int = 10,
        exclude_seen: bool = True,
        items: Any = None,
        exclude: Any = None,
        per_user_items: Any = None,
        diversity: float = 0.0,
        explain: bool = False,
        on_unknown: OnUnknown = "raise",
    ) -> pl.DataFrame:
        """Return the k best items for each user: user_id, item_id, score, rank (from 1).

        The rows of a user are consecutive, in the order of ``users``; a user who is given twice has two sets
        of rows. ``on_unknown="popular"`` adds a column ``fallback``, which is True for rows with the most
        popular items; their ``score`` is the number of training users. ``explain=True`` adds a column
        ``explanation``: the three items of the history with the largest positive contributions to the score, as a list
        of structs of item_id and contribution (``Explainer``); empty for the most popular items.

        Args:
            users: external ids; if neither users nor histories are given, all users with a training event, or
                the users of ``per_user_items``.
            histories: instead of users, a list of item ids for each unknown user, the oldest item first;
                ``user_id`` is the position in ``histories``.
            k: items per user; fewer if a user has seen nearly all items.
            exclude_seen: exclude the items of the user's training events (or of the history).
            items: rank only these items.
            exclude: never recommend these items; ids without a training event, which are never recommended anyway, are
                allowed, and their number is logged.
            per_user_items: frame with the columns user_id and item_id, the candidates of each user; with histories,
                user_id is the position. Only candidates are ranked, so a user without candidates has no rows, and
                the number of these users is logged.
            diversity: λ of maximal marginal relevance, from 0 (highest scores) to 1, over a pool of max(100, 10 · k)
                items with the highest scores (``Diversity``, ``ItemSimilarity``). ``rank`` is the order of choice,
                ``score`` remains the model's.
            explain: add the column ``explanation``.
            on_unknown: handling of users, and of items of a history or of ``per_user_items``, without a training event:
                ``raise`` an error, ``skip`` them, or recommend the most ``popular`` items (to unknown users and
                histories without a known item; other unknown items are skipped).

        Raises:
            UnknownIdError: an id has no training event and ``on_unknown`` is "raise".
            RunError: k is larger than the number of items, an argument has the wrong type or no item is left, or
                ``explain`` is True and the model cannot score a history.
            DataError: a value is neither a number nor text.
        """
        if users is not None and histories is not None:
            raise RunError("give users or histories, not both")
        choice(on_unknown, "on_unknown", typing.get_args(OnUnknown))
        exclude_seen = flag(exclude_seen, "exclude_seen")
        explain, diversity = flag(explain, "explain"), share(diversity, "diversity")
        ranked, count = self._ranked(items, exclude)
        k = positive_integer(k, count, f"there are {count:,} items to rank")
        candidates = None if per_user_items is None else self._candidates(per_user_items, on_unknown)
        if candidates is not None and users is None and histories is None:
            users = candidates.users.values
        ranker = Ranker(
            self.train.vocabulary.items,
            k,
            ranked,
            candidates,
            Diversity(diversity, self._similarity.among) if diversity > 0 else None,
            self.explainer if explain else None,
        )
        if histories is not None:
            queries = self._of_histories(history_columns(histories), exclude_seen, on_unknown)
        else:
            asked = self.all_users() if users is None else id_column(users, "user_id")
            queries = self._of_users(asked, exclude_seen, on_unknown)
        if candidates is not None:
            candidates.note_missing(queries.labels)
        return ranker.table(queries)

    def all_users(self) -> pl.Series:
        """Return the ids of the users with a training event."""
        return self._ids.all_users()

    def similar_items(self, items: Any, k: int = 10) -> pl.DataFrame:
        """Return the k most similar items of each item: item_id, similar_item_id, score, rank.

        The score is the cosine similarity of the item vectors. For models of item–item weights (ease, item_knn),
        which have no vectors, it is the weight from the given item to the similar one, i.e. the model's score for
        a history of the given item only; items of weight 0 are excluded.

        Raises:
            UnknownIdError: an item has no training event.
            RunError: the model has neither item vectors nor item–item weights, or k is larger than the
                number of other items.
            DataError: a value is neither a number nor text.
        """
        index = self._ids.require("item", id_column(items, "item_id"))
        others = self._ids.n_items - 1
        k = positive_integer(k, others, f"an item has {others:,} others")
        scores = self._weights if self.model.item_to_item else self._cosines
        ids = self.train.vocabulary.items
        queries = Queries(ids.of(index), lambda rows: scores(index[rows]), lambda row: index[row : row + 1])
        frame = Ranker(ids, k, self._ids.rankable).table(queries)
        return frame.rename({"user_id": "item_id", "item_id": "similar_item_id"})

    def score(self, users: Any, items: Any) -> pl.DataFrame:
        """Return the model's score of each (user, item) pair: user_id, item_id, score.

        Raises:
            UnknownIdError: an id has no training event.
            RunError: the two lists differ in length, or an argument is not a list.
            DataError: a value is neither a number nor text.
        """
        user_ids, item_ids = id_column(users, "user_id"), id_column(items, "item_id")
        if len(user_ids) != len(item_ids):
            raise RunError(f"score takes pairs, but {len(user_ids)} users and {len(item_ids)} items were given")
        vocabulary = self.train.vocabulary
        user, item = self._ids.require("user", user_ids), self._ids.require("item", item_ids)
        scores = np.empty(0, dtype=np.float32)
        if len(user):
            with torch.no_grad():
                pairs = self.model.score(self._batch_of(user)).of(_long(item).unsqueeze(1))
            scores = pairs.squeeze(1).float().cpu().numpy()
        columns = {"user_id": vocabulary.users.of(user), "item_id": vocabulary.items.of(item)}
        return pl.DataFrame(columns | {"score": scores})

    @cached_property
    def _ids(self) -> TrainedIds:
        return TrainedIds(self.train, self.added)

    @property
    def explainer(self) -> Explainer:
        """Contributions of the items of a history to the scores of this model."""
        return Explainer(self.model, self._similarity)

    def _ranked(self, items: Any, exclude: Any) -> tuple[np.ndarray | None, int]:
        """Mask (I,) of the items to rank (None: all) and their number."""
        if items is None and exclude is None:
            return self._ids.rankable, self._ids.n_items
        if items is None:
            ranked = self._ids.items.copy()
        else:
            asked = id_column(items, "items", ("item_id",))
            if asked.is_empty():
                raise RunError("items is empty; give the ids of the items to rank, or None for all")
            ranked = np.zeros(self.train.n_items, dtype=bool)
            ranked[self._ids.require("item", asked)] = True
        if exclude is not None:
            index = self._ids.find("item", id_column(exclude, "exclude", ("item_id",)))
            if (unknown := int((index < 0).sum())) > 0:
                logger.info("exclude: ids without a training event have no effect (%s)", f"{unknown:,}")
            ranked[index[index >= 0]] = False
            if not ranked.any():
                raise RunError("exclude leaves no item to rank; shorten exclude, or give other items")
        return ranked, int(ranked.sum())

    def _candidates(self, frame: Any, on_unknown: OnUnknown) -> Candidates:
        pairs = pair_frame(frame, "per_user_items", ["user_id"], ["item_id"])
        if pairs.is_empty():
            raise RunError("per_user_items has no rows; give the candidates of each user, or None for all items")
        if missing := pairs["user_id"].null_count():
            raise RunError(f"per_user_items has {missing:,} rows without user_id; remove them")
        return Candidates.of(pairs["user_id"], self._index("item", pairs["item_id"], on_unknown), self.train.n_items)

    def _batch_of(self, users: np.ndarray) -> Batch:
        return self.model.batch_of(_long(users), Histories((self.train,)))

    def _of_users(self, asked: pl.Series, exclude_seen: bool, on_unknown: OnUnknown) -> Queries:
        index = self._index("user", asked, on_unknown)
        if on_unknown == "skip":
            asked, index = asked.filter(pl.Series(index >= 0)), index[index >= 0]
        return Queries(
            asked,
            lambda rows: _catalogue(self.model.score(self._batch_of(index[rows]))),
            lambda row: self.train.items_of(index[row]) if exclude_seen else index[:0],
            index < 0 if on_unknown == "popular" else None,
            self._counts,
            lambda row: self._history_of(index[row]),
        )

    def _history_of(self, user: int) -> History:
        first, end = self.train.indptr[user : user + 2]
        weight = None if self.train.weight is None else self.train.weight[first:end]
        return self.train.item[first:end], weight

    def _of_histories(self, histories: list[pl.Series], exclude_seen: bool, on_unknown: OnUnknown) -> Queries:
        """Queries of histories; one without a known item raises an error, is skipped, or receives the popular items."""
        lists = self._known_items(histories, on_unknown)
        empty = np.array([len(items) == 0 for items in lists], dtype=bool)
        if on_unknown == "raise" and empty.any():
            raise UnknownIdError(f"histories[{int(empty.argmax())}] is empty; give an item, or on_unknown='popular'")
        place = np.flatnonzero(~empty) if on_unknown == "skip" else np.arange(len(lists))
        return Queries(
            pl.Series("user_id", place, dtype=pl.Int64),
            lambda rows: _catalogue(self.model.fold_in([lists[i] for i in place[rows].tolist()])),
            lambda row: lists[place[row]] if exclude_seen else np.empty(0, dtype=np.int32),
            empty if on_unknown == "popular" else None,
            self._counts,
            lambda row: (lists[place[row]], None),
        )

    def _known_items(self, histories: list[pl.Series], on_unknown: OnUnknown) -> list[np.ndarray]:
        """Indices of the known items of each history, found in one lookup."""
        if not histories:
            return []
        if len({history.dtype for history in histories}) > 1:
            histories = [history.cast(pl.String) for history in histories]
        index = self._index("item", pl.concat(histories), on_unknown)
        ends = np.cumsum([len(history) for history in histories])[:-1]
        return [items[items >= 0] for items in np.split(index, ends)]

    def _index(self, kind: Kind, asked: pl.Series, on_unknown: OnUnknown) -> np.ndarray:
        if on_unknown == "raise":
            return self._ids.require(kind, asked, SKIP_OR_POPULAR)
        return self._ids.find(kind, asked)

    def _counts(self) -> np.ndarray:
        """Number of training users of each item, float32 (I,)."""
        return self._popularity.counts.numpy()

    @cached_property
    def _popularity(self) -> Popularity:
        model = Popularity(self.train)
        model.fit(self.train)
        return model

    @cached_property
    def _similarity(self) -> ItemSimilarity:
        return ItemSimilarity(self.model, self.train)

    def _cosines(self, items: np.ndarray) -> np.ndarray:
        vectors = self._similarity.vectors
        if vectors is None:
            raise RunError(
                f"{type(self.model).__name__} has no item vectors and no item–item weights to compare items by; "
                f"use a model such as mf, ease or item_knn"
            )
        return _catalogue(Vectors(vectors[_long(items)], vectors))

    def _weights(self, items: np.ndarray) -> np.ndarray:
        weights = _catalogue(self.model.fold_in(list(items.reshape(-1, 1))))
        return np.where(weights == 0, np.float32(-np.inf), weights)


def _catalogue(scorer: Scorer) -> np.ndarray:
    """Scores of all items, float32 (Q, I)."""
    return scorer.catalogue().float().cpu().numpy()


def _long(index: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(index.astype(np.int64))

"""Recommendations, similar items and pair scores, from a model and the ids that it knows."""

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import torch

from recpair.batch import Batch
from recpair.data.ids import as_column, keys
from recpair.data.interactions import Interactions
from recpair.errors import RunError, UnknownIdError
from recpair.evaluation.ranking import top_k
from recpair.models import Model, Scorer, Vectors
from recpair.models.popularity import Popularity

OnUnknown = Literal["raise", "skip", "popular"]

BLOCK_BYTES = 16 * 2**20  # scores held at a time: they stay in the cache


@dataclass(frozen=True)
class Ask:
    """What is wanted of a ranking: how many items, with or without seen ones, among which."""

    k: int
    exclude_seen: bool
    allowed: np.ndarray | None


@dataclass(frozen=True)
class Recommender:
    """Answers in external ids. Rankings are over all items, ties broken by the lower item index.

    At most 16 MiB of scores are held at a time, however many users are asked for.
    """

    model: Model
    train: Interactions

    def recommend(
        self,
        users: Sequence[Any] | pl.Series | None = None,
        *,
        histories: Sequence[Sequence[Any]] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        items: Sequence[Any] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> pl.DataFrame:
        """The k best items for each user: user_id, item_id, score, rank (from 1).

        Args:
            users: external ids; all users where neither users nor histories are given.
            histories: instead of users, lists of item ids of people who were not in training;
                their user_id is their position in the list.
            exclude_seen: leave out what the user took in training (or has in the history).
            items: rank only these.
            on_unknown: for a user (or an item of a history) that was not in training: ``raise``,
                ``skip`` it, or answer with the ``popular`` items.

        Raises:
            UnknownIdError: an id was not in training and ``on_unknown`` is "raise".
            RunError: k is larger than the catalogue, or both users and histories are given.
        """
        if users is not None and histories is not None:
            raise RunError("give users or histories, not both")
        if on_unknown not in typing.get_args(OnUnknown):
            raise RunError(f"on_unknown is {on_unknown!r}; expected one of {', '.join(typing.get_args(OnUnknown))}")
        allowed = None if items is None else np.unique(self.train.vocabulary.items.indices(items))
        catalogue = self.train.n_items if allowed is None else len(allowed)
        if not isinstance(k, int | np.integer) or not 1 <= k <= catalogue:
            raise RunError(f"k is {k}, but there are {catalogue:,} items to rank; choose k between 1 and {catalogue:,}")
        ask = Ask(k, exclude_seen, allowed)
        if histories is not None:
            return self._for_histories(histories, ask, on_unknown)
        return self._for_users(
            self.train.vocabulary.users.values if users is None else as_series(users), ask, on_unknown
        )

    def similar_items(self, items: Sequence[Any] | pl.Series, k: int = 10) -> pl.DataFrame:
        """The k nearest items by cosine of their vectors: item_id, similar_item_id, score, rank.

        Raises:
            UnknownIdError: an item was not in training.
            RunError: the model has no item vectors, or k is larger than the catalogue less one.
        """
        index = self.train.vocabulary.items.indices(items)
        vectors = self._item_vectors()
        if not isinstance(k, int | np.integer) or not 1 <= k < len(vectors):
            raise RunError(f"k is {k}, but an item has {len(vectors) - 1:,} others; choose k between 1 and that")
        unit = torch.nn.functional.normalize(vectors, dim=1)
        itself = [np.array([i], dtype=np.int32) for i in index]
        ids = self.train.vocabulary.items.of(index)
        frame = self._rank(lambda rows: Vectors(unit[_long(index[rows])], unit), itself, ids, Ask(k, True, None))
        return frame.rename({"user_id": "item_id", "item_id": "similar_item_id"})

    def score(self, users: Sequence[Any] | pl.Series, items: Sequence[Any] | pl.Series) -> pl.DataFrame:
        """The model's score of each (user, item) pair: user_id, item_id, score.

        Raises:
            UnknownIdError: an id was not in training.
            RunError: the two lists differ in length.
        """
        if len(users) != len(items):
            raise RunError(f"score takes pairs, but {len(users)} users and {len(items)} items were given")
        vocabulary = self.train.vocabulary
        user, item = vocabulary.users.indices(users), vocabulary.items.indices(items)
        with torch.no_grad():
            scores = self.model.score(self._batch_of(user)).of(_long(item).unsqueeze(1)).squeeze(1)
        columns = {"user_id": vocabulary.users.of(user), "item_id": vocabulary.items.of(item)}
        return pl.DataFrame(columns | {"score": scores.float().cpu().numpy()})

    def _batch_of(self, users: np.ndarray) -> Batch:
        return self.model.batch_of(_long(users), (self.train,))

    def _for_users(self, asked: pl.Series, ask: Ask, on_unknown: OnUnknown) -> pl.DataFrame:
        ids = self.train.vocabulary.users
        index = ids.indices(asked) if on_unknown == "raise" else ids.find(asked)
        known = index[index >= 0]
        frame = self._rank(
            lambda rows: self.model.score(self._batch_of(known[rows])),
            [self.train.items_of(user) for user in known],
            asked.filter(pl.Series(index >= 0)),
            ask,
        )
        strangers = asked.filter(pl.Series(index < 0))
        if on_unknown == "popular" and len(strangers):
            frame = pl.concat([frame, self._popular(strangers, [np.empty(0, dtype=np.int32)] * len(strangers), ask)])
        return frame

    def _for_histories(self, histories: Sequence[Sequence[Any]], ask: Ask, on_unknown: OnUnknown) -> pl.DataFrame:
        """Histories with no known item are an error, left out, or answered with the most popular items."""
        ids = self.train.vocabulary.items
        for place, history in enumerate(histories):
            if isinstance(history, str) or not hasattr(history, "__iter__"):
                raise RunError(f"histories[{place}] is {history!r}; expected a list of item ids for each person")
        lists = [ids.indices(h) if on_unknown == "raise" else (found := ids.find(h))[found >= 0] for h in histories]
        full = np.array([len(items) > 0 for items in lists], dtype=bool)
        if on_unknown == "raise" and not full.all():
            raise UnknownIdError(f"histories[{int(full.argmin())}] is empty; give an item, or on_unknown='popular'")
        labels = pl.Series("user_id", np.arange(len(lists)))
        known = [items for items in lists if len(items)]
        frame = self._rank(
            lambda rows: self.model.fold_in([known[row] for row in rows]), known, labels.filter(pl.Series(full)), ask
        )
        if on_unknown == "popular" and not full.all():
            nothing = [items for items in lists if len(items) == 0]
            frame = pl.concat([frame, self._popular(labels.filter(pl.Series(~full)), nothing, ask)])
        return frame.sort("user_id", "rank")

    def _popular(self, labels: pl.Series, seen: Sequence[np.ndarray], ask: Ask) -> pl.DataFrame:
        model = Popularity(self.train)
        model.fit(self.train)
        return self._rank(lambda rows: model.fold_in([seen[row] for row in rows]), seen, labels, ask)

    def _item_vectors(self) -> torch.Tensor:
        with torch.no_grad():
            scorer = self.model.score(self._batch_of(np.zeros(1, dtype=np.int64)))
        if not isinstance(scorer, Vectors) or scorer.items.shape[1] < 2:
            raise RunError(f"{type(self.model).__name__} has no item vectors to compare; use a model such as mf")
        return scorer.items

    def _rank(
        self,
        scorer_of: Callable[[np.ndarray], Scorer],
        seen: Sequence[np.ndarray],
        labels: pl.Series,
        ask: Ask,
    ) -> pl.DataFrame:
        """Rank all items for each label, a block of queries at a time."""
        vocabulary = self.train.vocabulary.items
        schema: dict[str, Any] = {
            "user_id": labels.dtype,
            "item_id": vocabulary.values.dtype,
            "score": pl.Float32,
            "rank": pl.Int32,
        }
        frames = [pl.DataFrame(schema=schema)]
        block = max(1, BLOCK_BYTES // (4 * self.train.n_items))
        nothing = np.empty(0, dtype=np.int32)
        for start in range(0, len(labels), block):
            rows = np.arange(start, min(start + block, len(labels)))
            with torch.no_grad():
                scores = scorer_of(rows).catalogue().float().cpu().numpy()
            if ask.allowed is not None:
                kept = np.full_like(scores, -np.inf)
                kept[:, ask.allowed] = scores[:, ask.allowed]
                scores = kept
            hidden = [seen[row] if ask.exclude_seen else nothing for row in rows.tolist()]
            items, best = top_k(scores, hidden, ask.k)
            found = items >= 0  # fewer than k items are left for somebody who took nearly all
            query, place = np.nonzero(found)
            columns = {
                "user_id": labels[rows[query]],
                "item_id": vocabulary.of(items[found]),
                "score": best[found],
                "rank": place.astype(np.int32) + 1,
            }
            frames.append(pl.DataFrame(columns, schema=schema))
        return pl.concat(frames)


def as_series(ids: Any) -> pl.Series:
    """External ids in canonical form, integers or text.

    Raises:
        DataError: a value is neither a number nor text.
    """
    return keys(as_column(ids, "user_id"), "user_id")


def _long(index: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(index.astype(np.int64))

"""Explanations of recommendations: the items of the history that contribute most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import torch

from recpair.data.vocabulary import Ids
from recpair.errors import RunError
from recpair.models import HistoryModel, Model
from recpair.run.similarity import ItemSimilarity

MOST = 3  # items of an explanation
LATEST = 100  # items of a history that leave-one-out removes in turn

Kind = Literal["term", "leave_one_out", "similarity"]
History = tuple[np.ndarray, np.ndarray | None]  # items, the oldest first; event weights


@dataclass(frozen=True, eq=False)
class Explainer:
    """Contribution of each item of a history to the score of a recommended item, by ``kind``.

    - ``term``: the scores are sums over the items of the history (``Model.contributions``), exactly: ease, sansa, slim,
      item_knn, rp3beta, gf_cf, bspm, turbo_cf, transitions, markov, and ials with the weights of Hu et al., ICDM 2008.
    - ``similarity``: cosine of the two item vectors, for models with a vector of each user (mf, lightgcn): this vector is
      not a function of the history, so no contribution is defined.
    - ``leave_one_out``: score of the history minus the score of the history without the item, both by ``fold_in``, for
      each of the latest 100 items: sequence models, and all other models (neumf, blends).
    """

    model: Model
    similarity: ItemSimilarity

    @property
    def kind(self) -> Kind:
        """Definition of a contribution for this model."""
        if type(self.model).contributions is not Model.contributions:
            return "term"
        if isinstance(self.model, HistoryModel) or self.similarity.vectors is None:
            return "leave_one_out"
        return "similarity"

    def contributions(self, history: History, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct items (J,) of a history and their contributions (J, C) to C items.

        Raises:
            RunError: the model cannot score a history.
        """
        own, weight = history
        if (terms := self.model.contributions(own, items, weight)) is not None:
            return terms
        if self.kind == "leave_one_out":
            return self._without_each(own, items)
        vectors = self.similarity.vectors
        assert vectors is not None, "without vectors, the kind is leave_one_out"
        distinct = np.unique(own)
        ours, theirs = (vectors[torch.from_numpy(index.astype(np.int64))] for index in (distinct, items))
        return distinct, (ours @ theirs.T).float().cpu().numpy()

    def _without_each(self, history: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distinct = np.unique(history[-LATEST:])
        rest = [history[history != item] for item in distinct]
        wanted = torch.from_numpy(items.astype(np.int64)).unsqueeze(0)
        try:
            with torch.no_grad():
                scores = self.model.fold_in([history, *rest]).of(wanted.to(self.model.device)).float().cpu().numpy()
        except RunError as error:
            raise RunError(f"explain requires scores of histories without an item: {error}") from None
        return distinct, scores[0] - scores[1:]

    def lists(self, history: History, items: np.ndarray) -> list[list[tuple[int, float]]]:
        """Return for each item the three items of the history with the largest positive contributions, and these."""
        if len(history[0]) == 0 or len(items) == 0:
            return [[] for _ in items]
        distinct, values = self.contributions(history, items)
        best = np.argsort(-values, axis=0, kind="stable")[:MOST].T
        return [
            [(int(distinct[j]), float(values[j, place])) for j in row if values[j, place] > 0]
            for place, row in enumerate(best)
        ]


def as_column(lists: Sequence[Sequence[tuple[int, float]]], items: Ids) -> pl.Series:
    """Return ``explanation``: lists of structs of item_id and contribution."""
    ids = iter(items.of(np.array([item for pairs in lists for item, _ in pairs], dtype=np.int64)).to_list())
    rows = [[{"item_id": next(ids), "contribution": value} for _, value in pairs] for pairs in lists]
    entry = pl.Struct({"item_id": items.values.dtype, "contribution": pl.Float32})
    return pl.Series("explanation", rows, dtype=pl.List(entry))

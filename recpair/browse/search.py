"""Search of users and items by id or title."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

LONGEST = 200  # characters of a query


def folded(text: str) -> str:
    """Return a text for comparison: without case, accents and repeated blanks."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


class SearchIndex:
    """Ids and titles in memory.

    Args:
        items, users: ids as text.
        titles: title of each item, "" if unknown.
        item_events, user_events: number of training events, which orders equally good results.
    """

    def __init__(
        self,
        items: Sequence[str],
        titles: Sequence[str],
        item_events: np.ndarray,
        users: Sequence[str],
        user_events: np.ndarray,
    ) -> None:
        self.items = _Table(items, titles, item_events)
        self.users = _Table(users, [""] * len(users), user_events)

    def find(self, query: str, limit: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the best items and users: id and events of each.

        Ids equal to the query come first, then those that begin with it, titles that begin with it, titles with a word
        that begins with it, and titles or ids that contain all words of the query.
        """
        asked = folded(query[:LONGEST])
        return self.items.find(asked, limit), self.users.find(asked, limit)


class _Table:
    def __init__(self, ids: Sequence[str], titles: Sequence[str], events: np.ndarray) -> None:
        self.ids, self.events = list(ids), events
        self._ids = pl.Series([folded(id_) for id_ in ids], dtype=pl.String)
        self._titles = pl.Series([folded(title) for title in titles], dtype=pl.String)

    def find(self, asked: str, limit: int) -> list[dict[str, Any]]:
        if not asked:
            return []
        contained = np.ones(len(self.ids), dtype=bool)
        for word in asked.split():
            contained &= (
                self._titles.str.contains(word, literal=True) | self._ids.str.contains(word, literal=True)
            ).to_numpy()
        at = np.flatnonzero(contained)
        ids, titles = self._ids[at], self._titles[at]
        places = [
            ids == asked,
            ids.str.starts_with(asked),
            titles.str.starts_with(asked),
            titles.str.contains(rf"\b{re.escape(asked)}"),
        ]
        rank = np.full(len(at), len(places))
        for level, mask in reversed(list(enumerate(places))):
            rank[mask.to_numpy()] = level
        best = at[np.lexsort((at, -self.events[at], rank))][:limit]
        return [{"id": self.ids[row], "events": int(self.events[row])} for row in best.tolist()]

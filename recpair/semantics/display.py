"""Retrieved neighbours with external ids and titles, for inspection."""

from textwrap import shorten

import numpy as np
import polars as pl

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids
from recpair.semantics.retrieved import Retrieved
from recpair.semantics.text import as_text

LATEST = 5  # items shown of a history
LONGEST = 90  # characters of a title


def titles(items: pl.DataFrame | None, ids: Ids) -> list[str]:
    """Return a name of each item: its title, else the first text of the side table, else its id."""
    names = [str(id_) for id_ in ids.values.to_list()]
    if items is None:
        return names
    texts = [column for column in items.columns[1:] if items[column].dtype == pl.String]
    if not texts:
        return names
    column = "title" if "title" in texts else texts[0]
    for index, title in zip(ids.find(items["item_id"]), items[column], strict=True):
        if index >= 0 and as_text(title):
            names[index] = shorten(as_text(title), LONGEST, placeholder="…")
    return names


def near_item(retrieved: Retrieved, train: Interactions, items: pl.DataFrame | None, item: int) -> pl.DataFrame:
    """Return rank, item_id, cosine, training events and title of an item's neighbours."""
    found = retrieved.item_neighbours[item]
    found = found[found >= 0]
    names = titles(items, train.vocabulary.items)
    return pl.DataFrame(
        {
            "rank": np.arange(1, len(found) + 1),
            "item_id": train.vocabulary.items.of(found),
            "cosine": retrieved.item_vectors[found] @ retrieved.item_vectors[item],
            "events": train.item_counts[found],
            "title": [names[place] for place in found],
        }
    )


def near_history(retrieved: Retrieved, train: Interactions, items: pl.DataFrame | None, row: int) -> pl.DataFrame:
    """Return rank, user_id, length, cosine and latest titles of the histories nearest to that before a training row."""
    found = retrieved.history_neighbours[row]
    found = found[found >= 0]
    names = titles(items, train.vocabulary.items)
    return pl.DataFrame(
        {
            "rank": np.arange(1, len(found) + 1),
            "user_id": train.vocabulary.users.of(train.user[found]),
            "length": found - train.indptr[train.user[found]],
            "cosine": retrieved.history_vectors[found] @ retrieved.history_vectors[row],
            "latest": [latest(train, names, place) for place in found.tolist()],
        }
    )


def latest(train: Interactions, names: list[str], row: int) -> str:
    """Return the titles of the last items before a training row, the latest first."""
    start = max(int(train.indptr[train.user[row]]), row - LATEST)
    return " · ".join(names[item] for item in train.item[start:row][::-1])

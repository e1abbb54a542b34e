"""Answers about an item: its row, its users, similar items and items with similar texts."""

from typing import Any

import numpy as np
import polars as pl

from recpair.browse.opened import Opened, Shelf
from recpair.browse.overview import number
from recpair.errors import RecpairError

LATEST = 12  # users that are shown


def item(shelf: Shelf, item_id: str, k: int) -> dict[str, Any]:
    """Return an item, its latest users, and the similar items of each run.

    Raises:
        UnknownIdError: no run has a training event of the item.
    """
    opened = shelf.knowing("item", item_id)
    train = opened.run.recommender.train
    index = opened.find("item", item_id)
    rows = np.flatnonzero(train.item == index)
    latest = rows if train.time is None else rows[np.argsort(-train.time[rows], kind="stable")]
    users = list(dict.fromkeys(train.user[latest].tolist()))
    own_id = opened.id_of("item", index)
    return shelf.cards.brief(own_id) | {
        "columns": shelf.cards.of(own_id).row,
        "events": len(rows),
        "users": len(users),
        "run": opened.name,
        "latest": [str(id_) for id_ in train.vocabulary.users.of(np.array(users[:LATEST])).to_list()],
        "similar": [_similar(shelf, each, own_id, k) for each in shelf.runs],
    }


def _similar(shelf: Shelf, opened: Opened, item_id: str, k: int) -> dict[str, Any]:
    """Return similar items, or the reason for an empty list."""
    try:
        opened.require("item", item_id)
        frame = opened.run.similar_items(pl.Series([item_id]), k=min(k, opened.ids.n_items - 1))
    except RecpairError as error:
        return {"items": [], "error": str(error)}
    rows = frame.iter_rows(named=True)
    kind = "weight" if opened.run.model.item_to_item else "cosine"
    items = [shelf.cards.brief(row["similar_item_id"]) | {"score": number(row["score"])} for row in rows]
    return {"items": items, "kind": kind}


def alike(shelf: Shelf, item_id: str, k: int) -> dict[str, Any]:
    """Return the items with the most similar texts, or the reason for an empty list."""
    try:
        found = shelf.text.find(item_id, k)
    except RecpairError as error:
        return {"items": [], "error": str(error)}
    items = [shelf.cards.brief(near) | {"score": number(cosine)} for near, cosine in found]
    return {"encoder": shelf.text.encoder, "items": items}

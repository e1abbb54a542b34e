"""Answers about a user: history and recommendations."""

from typing import Any

import polars as pl

from recpair.browse.opened import Shelf
from recpair.browse.overview import number

LATEST = 300  # events of a history that are shown


def user(shelf: Shelf, user_id: str) -> dict[str, Any]:
    """Return the training history of a user, the latest event first, in the first run that knows the user.

    Raises:
        UnknownIdError: no run has a training event of the user.
    """
    opened = shelf.knowing("user", user_id)
    train = opened.run.recommender.train
    index = opened.find("user", user_id)
    first, end = int(train.indptr[index]), int(train.indptr[index + 1])
    rows = range(end - 1, max(first, end - LATEST) - 1, -1)
    ids = train.vocabulary.items.of(train.item[list(rows)]).to_list()
    history = [
        shelf.cards.brief(id_)
        | {
            "time": None if train.time is None else opened.day(train.time[row]),
            "rating": None if train.rating is None else number(train.rating[row]),
        }
        for row, id_ in zip(rows, ids, strict=True)
    ]
    return {
        "id": opened.id_of("user", index),
        "run": opened.name,
        "events": end - first,
        "history": history,
    }


def recommendations(
    shelf: Shelf, run: int, user_id: str, k: int, diversity: float, seen: bool, explain: bool
) -> dict[str, Any]:
    """Return the recommendations of one run for a user.

    Raises:
        UnknownIdError: the run has no training event of the user.
        RunError: the model cannot explain.
    """
    opened = shelf.at(run)
    opened.require("user", user_id)
    frame = opened.run.recommend(
        pl.Series([user_id]),
        k=min(k, opened.ids.n_items),
        exclude_seen=not seen,
        diversity=diversity,
        explain=explain,
    )
    return {
        "kind": opened.run.recommender.explainer.kind,
        "items": [
            shelf.cards.brief(row["item_id"])
            | {"score": number(row["score"]), "rank": row["rank"]}
            | ({"because": [_part(shelf, part) for part in row["explanation"]]} if explain else {})
            for row in frame.iter_rows(named=True)
        ],
    }


def _part(shelf: Shelf, part: dict[str, Any]) -> dict[str, Any]:
    return shelf.cards.brief(part["item_id"]) | {"contribution": number(part["contribution"])}

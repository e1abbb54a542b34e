"""Answers about the audit: the most suspicious events, and those of a user."""

from typing import Any

import numpy as np
import polars as pl

from recpair.browse.opened import Opened, Shelf
from recpair.browse.overview import number

PAGE = 30  # events on a page
OF_USER = 500  # events of a user that are shown
LIKELY = 0.5  # noise probability above which events are counted


def events(shelf: Shelf, run: int, page: int) -> dict[str, Any]:
    """Return a page (from 0) of the most suspicious events.

    Raises:
        RunError: the model was not trained by a loss.
    """
    opened = shelf.at(run)
    frame = opened.audit()
    part = frame.slice(page * PAGE, PAGE)
    return {
        "events": [_event(shelf, opened, row) for row in part.iter_rows(named=True)],
        "page": page,
        "pages": -(-len(frame) // PAGE),
        "total": len(frame),
        "likely": int((frame["noise_probability"] > LIKELY).sum()),
    }


def of_user(shelf: Shelf, run: int, user_id: str) -> dict[str, Any]:
    """Return the audited events of a user, the most suspicious first.

    Raises:
        UnknownIdError: the run has no training event of the user.
        RunError: the model was not trained by a loss.
    """
    opened = shelf.at(run)
    index = opened.require("user", user_id)
    frame = opened.audit()
    own_id = opened.run.recommender.train.vocabulary.users.of(np.array([index]))[0]
    own = frame.filter(pl.col("user_id") == own_id)
    shown = [_event(shelf, opened, row) for row in own.head(OF_USER).iter_rows(named=True)]
    return {"user": user_id, "events": shown, "total": len(own)}


def _event(shelf: Shelf, opened: Opened, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "user": str(row["user_id"]),
        "item": shelf.cards.brief(row["item_id"]),
        "time": opened.day(row.get("timestamp")),
        "loss": number(row["mean_loss"]),
        "z": number(row["z"]),
        "noise": number(row["noise_probability"]),
        "rank": row["rank"],
        "user_events": row["user_events"],
        "explanation": row["explanation"],
    }

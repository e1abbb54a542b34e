"""Answers of a service: lists of items for rows of users and histories."""

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from recpair.data.ids import EXACT
from recpair.errors import RunError, shown
from recpair.registry import nearest
from recpair.run.asked import choice, flag, id_column, is_list, positive_integer
from recpair.run.recommend import OnUnknown
from recpair.run.run import Run

USER, HISTORY = "user_id", "history"
COLUMNS = (USER, HISTORY)
DEFAULT_K = 10
PARAMETERS = ("k", "exclude_seen", "on_unknown", "items", "exclude")
MOST = 10_000_000  # items in the answer of a request, which bounds its memory to about a gigabyte

NO_ROWS = "the request has no rows; expected at least one row with a user_id or a history"

Answer = tuple[list[Any], list[float], bool]


def answers(run: Run, rows: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the best items of each row: the columns ``item_id`` and ``score``, lists of equal length.

    With ``on_unknown="skip"``, the lists of an unknown user are empty. ``on_unknown="popular"`` adds a column
    ``fallback``, True for rows with the most popular items.

    Args:
        rows: the columns ``user_id`` (ids) and ``history`` (lists of item ids, the oldest first). A row has one of the two,
            and None or NaN in the other.
        parameters: arguments of ``Run.recommend`` among ``PARAMETERS``; None means the default.

    Raises:
        RunError: a row has both columns or neither, or a parameter is unknown, out of range or of the wrong type.
        UnknownIdError: an id has no training event, and ``on_unknown`` is "raise".
        DataError: an id is neither a number nor text.
    """
    options = checked(run, parameters)
    users, histories = _columns(rows)
    of_user = [row for row, user in enumerate(users) if not _missing(user)]
    of_history = [row for row, history in enumerate(histories) if not _missing(history)]
    _check_rows(users, of_user, of_history)
    if (asked := len(users) * options.get("k", DEFAULT_K)) > MOST:
        raise RunError(
            f"the answer has up to {asked:,} items, but at most {MOST:,} are allowed; send fewer rows or lower k"
        )
    found: list[Answer] = [([], [], False)] * len(users)
    if of_user:
        ids = run.ids_of([users[row] for row in of_user], "user")
        by_user = _by_query(run.recommend(ids.unique(maintain_order=True), **options))
        for row, user in zip(of_user, ids.to_list(), strict=True):
            found[row] = by_user.get(user, found[row])
    if of_history:
        lists = [_history(histories[row], row, options.get("on_unknown", "raise") == "raise") for row in of_history]
        by_place = _by_query(run.recommend(histories=lists, **options))
        for place, row in enumerate(of_history):
            found[row] = by_place.get(place, found[row])
    columns: dict[str, list[Any]] = {"item_id": [each[0] for each in found], "score": [each[1] for each in found]}
    if options.get("on_unknown") == "popular":
        columns["fallback"] = [each[2] for each in found]
    return columns


def checked(run: Run, parameters: Any) -> dict[str, Any]:
    """Return the given parameters; a parameter of None is dropped.

    Raises:
        RunError: a parameter is unknown, out of range or of the wrong type.
    """
    if not isinstance(parameters, Mapping):
        raise RunError(f"params is {shown(parameters)}; expected an object with the parameters {', '.join(PARAMETERS)}")
    for name in parameters:
        if name not in PARAMETERS:
            raise RunError(
                f"unknown parameter {shown(name)}{nearest(str(name), PARAMETERS)} (known: {', '.join(PARAMETERS)})"
            )
    given = {name: value for name, value in parameters.items() if value is not None}
    if "k" in given:
        n_items = int(np.count_nonzero(run.recommender.train.item_counts))
        given["k"] = positive_integer(given["k"], n_items, f"there are {n_items:,} items to rank")
    if "exclude_seen" in given:
        flag(given["exclude_seen"], "exclude_seen")
    if "on_unknown" in given:
        choice(given["on_unknown"], "on_unknown", typing.get_args(OnUnknown))
    for name in ("items", "exclude"):
        if name in given:
            given[name] = id_column(given[name], name)
    return given


def check_columns(found: Iterable[Any]) -> None:
    """Raise a RunError unless one of the columns is ``user_id`` or ``history``; other columns are ignored."""
    names = [str(name) for name in found]
    if not names:
        raise RunError(NO_ROWS)
    if not set(names) & set(COLUMNS):
        near = next(filter(None, (nearest(name, COLUMNS) for name in names)), "")
        raise RunError(f"the columns are {shown(names)}{near}; expected the column user_id or history")


def _columns(rows: Mapping[str, Sequence[Any]]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return users and histories, of equal length."""
    check_columns(rows)
    n = max(len(rows.get(name, ())) for name in COLUMNS)
    return rows.get(USER, [None] * n), rows.get(HISTORY, [None] * n)


def _check_rows(users: Sequence[Any], of_user: Sequence[int], of_history: Sequence[int]) -> None:
    if len(users) == 0:
        raise RunError(NO_ROWS)
    if both := set(of_user) & set(of_history):
        raise RunError(f"row {min(both)} has both user_id and history; give one of them")
    if neither := set(range(len(users))) - set(of_user) - set(of_history):
        raise RunError(f"row {min(neither)} has neither user_id nor history; give one of them")
    for row in of_user:
        if isinstance(users[row], float) and abs(users[row]) >= EXACT:  # a column of numbers and nulls holds floats
            raise RunError(f"row {row}: user_id {users[row]:.0f} is too large for a number; give the ids as text")


def _history(history: Any, row: int, required: bool) -> pl.Series:
    if not is_list(history):
        raise RunError(f"row {row}: history is {shown(history)}; expected a list of item ids")
    ids = id_column(history, f"row {row}: history")
    if ids.null_count():
        raise RunError(f"row {row}: history holds null; expected item ids")
    if ids.is_empty() and required:
        raise RunError(f"row {row}: history is empty; give an item, or set on_unknown to skip or popular")
    return ids


def _missing(value: Any) -> bool:
    """Return True for None, NaN and the missing values of pandas."""
    if value is None or isinstance(value, float):
        return value is None or value != value
    return type(value).__name__ in ("NAType", "NaTType")


def _by_query(frame: pl.DataFrame) -> dict[Any, Answer]:
    """Group recommendations by the distinct users or places of histories."""
    queries, items, scores = (frame[name].to_list() for name in ("user_id", "item_id", "score"))
    fallback = frame["fallback"].to_list() if "fallback" in frame.columns else None
    starts = np.flatnonzero(frame["rank"].to_numpy() == 1).tolist()
    return {
        queries[start]: (items[start:end], scores[start:end], fallback is not None and fallback[start])
        for start, end in zip(starts, [*starts[1:], len(items)], strict=False)
    }

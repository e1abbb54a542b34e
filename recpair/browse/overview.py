"""Answers for the first page and the search: runs, metrics, examples."""

import math
from typing import Any

import numpy as np

from recpair.browse.opened import Opened, Shelf
from recpair.models import GradientModel
from recpair.run.folder import AUDIT, HISTORY, PER_USER

EXAMPLES = 3


def number(value: Any) -> float | None:
    """Return a finite float, else None: JSON has neither NaN nor infinity."""
    return float(value) if value is not None and math.isfinite(value) else None


def overview(shelf: Shelf) -> dict[str, Any]:
    """Return a description of each run, with examples of users and the most popular items of the first."""
    first = shelf.runs[0].run.recommender.train
    popular = np.argsort(-first.item_counts, kind="stable")[:8]
    return {
        "runs": [_described(opened) for opened in shelf.runs],
        "users": _examples(shelf.runs[0]),
        "items": [
            shelf.cards.brief(id_) | {"events": int(first.item_counts[index])}
            for index, id_ in zip(popular.tolist(), first.vocabulary.items.of(popular).to_list(), strict=True)
        ],
        "counts": {"users": len(shelf.search.users.ids), "items": len(shelf.search.items.ids)},
        "titles": shelf.cards.titled,
        "text": shelf.text.encoder,
    }


def search(shelf: Shelf, query: str, limit: int) -> dict[str, Any]:
    """Return the items and users that match a query."""
    items, users = shelf.search.find(query, limit)
    return {"items": [shelf.cards.brief(item["id"]) | item for item in items], "users": users}


def _described(opened: Opened) -> dict[str, Any]:
    run, files = opened.run, opened.run.files
    metrics = run.metrics
    return {
        "name": opened.name,
        "model": _components(run.config, isinstance(run.model, GradientModel)),
        "data": str(metrics["data"]["name"]),
        "users": int(opened.ids.users.sum()),
        "items": opened.ids.n_items,
        "events": len(run.recommender.train),
        "test": {name: number(value) for name, value in metrics["test"].items()},
        "popularity": {name: number(value) for name, value in metrics["popularity"].items()},
        "epochs": metrics["epochs"],
        "best_epoch": metrics["best_epoch"],
        "explanation": run.recommender.explainer.kind,
        "has": {"audit": files.lists(AUDIT), "curves": files.lists(HISTORY), "per_user": files.lists(PER_USER)},
    }


def _components(config: dict[str, Any], by_loss: bool) -> str:
    """Names of model, members, loss, denoiser and terms other than l2."""
    sections = [config["model"], *(config["model"].get("members") or [])]
    if by_loss:
        sections += [config.get("loss"), config.get("denoise"), *(config.get("terms") or [])]
    names = [str(section["name"]) for section in sections if isinstance(section, dict) and "name" in section]
    return " · ".join(name for name in names if name != "l2")


def _examples(opened: Opened) -> list[dict[str, Any]]:
    """Users with few, a typical number and many events."""
    train = opened.run.recommender.train
    events = np.diff(train.indptr)
    known = np.flatnonzero(events)
    order = known[np.argsort(events[known], kind="stable")]
    places = np.unique([int(share * (len(order) - 1)) for share in np.linspace(0.1, 0.9, EXAMPLES)])
    ids = train.vocabulary.users.of(order[places]).to_list()
    return [{"id": str(id_), "events": int(events[index])} for id_, index in zip(ids, order[places], strict=True)]

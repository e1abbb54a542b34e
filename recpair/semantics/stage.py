"""The semantic stage from texts to neighbours; it is given the training part and nothing that was held out."""

import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.semantics.encoders import ENCODERS, VectorFile, normalised
from recpair.semantics.history_vectors import history_vectors
from recpair.semantics.neighbours import Search, nearest
from recpair.semantics.progress import Report, silent
from recpair.semantics.retrieved import Retrieved
from recpair.semantics.store import Arrays, Store, fingerprint
from recpair.semantics.text import item_texts
from recpair.semantics.vectors import text_vectors

logger = logging.getLogger("recpair")

TEMPLATE = "{title}. {categories}. {brand}"
METHOD = 1  # part of every fingerprint of neighbours: raise it where the search itself changes


def retrieve(
    splits: Splits,
    report: Report = silent,
    *,
    template: str = TEMPLATE,
    k: PositiveInt = 10,
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8,
    same_user: bool = False,
    exact_below: NonNegativeInt = 50_000,
    recall: Annotated[float, Field(gt=0, le=1)] = 0.95,
    folder: str | None = None,
    **encoder: Any,
) -> Retrieved:
    """Vectors of the items and of the training histories, and the k nearest of each.

    Items that nobody took in training have neighbours, but are nobody's. What is computed is kept in ``folder``
    and found again as long as texts, encoder, options and training events are the same.

    Args:
        report: hears how far each part is (the command line's progress bar).
        template: an item's text, from columns of the side table.
        k: neighbours of an item, and of a history.
        decay: how much less an item weighs than the one after it, in the vector of a history.
        same_user: whether a history may have others of its own user among its neighbours.
        exact_below: with more vectors than this, the search is approximate.
        recall: how much of the true nearest an approximate search must find.
        folder: of what is kept; the config leaves it to be ``.semantics`` beside the run folder.
        encoder: ``name`` and the options of a component of ``ENCODERS``.

    Raises:
        ConfigError: the template names a column that doesn't exist, or something isn't installed.
        DataError: there is no side table, or it tells of none of the items, or a kept file is damaged.
    """
    train, store = splits.train, Store(None if folder is None else Path(folder))
    vectors = _item_vectors(train, splits.items, store, report, template, **encoder)
    histories = history_vectors(train, vectors, decay)
    own = _itself(len(train)) if same_user else _all_of_user(train)
    searches = {
        "items": Search(vectors, np.isin(np.arange(len(vectors)), train.item), _itself(len(vectors))),
        "histories": Search(histories, np.ones(len(train), dtype=bool), own),
    }
    found = {
        what: _neighbours(search, what, store, report, k=k, exact_below=exact_below, recall=recall)
        for what, search in searches.items()
    }
    return Retrieved(vectors, found["items"], histories, found["histories"])


def _item_vectors(
    train: Interactions,
    items: pl.DataFrame | None,
    store: Store,
    report: Report,
    template: str,
    name: str,
    **rest: Any,
) -> Float[np.ndarray, "I D"]:
    encoder = ENCODERS[name](**rest)
    ids = train.vocabulary.items
    if isinstance(encoder, VectorFile):
        return normalised(encoder.read(ids))
    return text_vectors(item_texts(items, ids, template), encoder, store, "items", report)


def _neighbours(search: Search, what: str, store: Store, report: Report, **options: Any) -> Int[np.ndarray, "E K"]:
    """The neighbours that are kept for exactly this search, else found now and kept."""

    def find() -> Arrays:
        found = nearest(search, **options, report=lambda done, total: report(f"neighbours of {what}", done, total))
        return {"rows": found.rows, "recall": np.array([found.recall])}

    key = fingerprint(METHOD, search.vectors, search.pool, search.own, sorted(options.items()))
    kept = store.get(f"neighbours-of-{what}", key, find)
    if kept["recall"][0] < 1:
        share, wanted = kept["recall"][0], options["recall"]
        logger.info(
            "neighbours of %s are approximate: %.3f of the true ones are found (%s asked for)", what, share, wanted
        )
    rows: np.ndarray = kept["rows"]
    return rows


def _itself(size: int) -> Int[np.ndarray, "E _"]:
    rows = np.arange(size)
    return np.stack([rows, rows + 1], axis=1)


def _all_of_user(train: Interactions) -> Int[np.ndarray, "E _"]:
    return np.stack([train.indptr[train.user], train.indptr[train.user + 1]], axis=1)

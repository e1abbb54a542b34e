"""The semantic stage, from texts to neighbours; it uses the training part only."""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt

from recpair import files
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.errors import DataError
from recpair.registry import options
from recpair.semantics.describe import Describer
from recpair.semantics.encoders import ENCODERS, CorpusEncoder, Encoder, VectorFile, normalised
from recpair.semantics.endpoint import Endpoint
from recpair.semantics.history_vectors import history_vectors
from recpair.semantics.neighbours import Search, nearest
from recpair.semantics.progress import Report, silent
from recpair.semantics.prompting import answers_in, history_jobs, item_jobs
from recpair.semantics.retrieved import Retrieved
from recpair.semantics.store import Arrays, Store, fingerprint, folder_of
from recpair.semantics.text import item_texts
from recpair.semantics.vectors import text_vectors

logger = logging.getLogger("recpair")

METHOD = 1  # part of every fingerprint of neighbours: increase it if the search itself changes


@dataclass(frozen=True)
class Stage:
    """Shared inputs of the parts of the stage: training events, side table, and the folder of stored results."""

    train: Interactions
    items: pl.DataFrame | None
    folder: Path | None
    report: Report

    @property
    def store(self) -> Store:
        return Store(self.folder)

    def locked(self) -> AbstractContextManager[None]:
        """Lock the folder of stored results against other processes."""
        return nullcontext() if self.folder is None else files.locked(self.folder / "stage", error=DataError)

    def texts(self, encoder: Encoder, describer: Describer | None, template: str) -> list[str]:
        """Return the descriptions of the items if there are any, else their texts; an encoder of a corpus learns them."""
        texts = item_texts(self.items, self.train.vocabulary.items, template)
        if describer is not None and describer.items:
            jobs = item_jobs(describer, self.train, texts)
            texts = describer.ask(jobs, answers_in(self.folder), "descriptions of items", self.report)
        if isinstance(encoder, CorpusEncoder):
            encoder.learn(texts)
        return texts

    def item_vectors(
        self, source: Encoder | VectorFile, describer: Describer | None, template: str
    ) -> Float[np.ndarray, "I D"]:
        """Return the vectors of a file, or of the texts."""
        if isinstance(source, VectorFile):
            return normalised(source.read(self.train.vocabulary.items))
        return text_vectors(self.texts(source, describer, template), source, self.store, "items", self.report)

    def summary_vectors(self, encoder: Encoder, describer: Describer) -> Float[np.ndarray, "E D"]:
        """Return a vector of each training history's summary; zeros if nothing precedes the row."""
        jobs = history_jobs(describer, self.train, self.items)
        texts = describer.ask(jobs, answers_in(self.folder), "summaries of histories", self.report)
        return text_vectors(texts, encoder, self.store, "histories", self.report)

    def neighbours(self, search: Search, what: str, **options: Any) -> Int[np.ndarray, "E K"]:
        """Return the neighbours stored for exactly this search; otherwise compute and store them."""

        def find() -> Arrays:
            found = nearest(
                search, **options, report=lambda done, total: self.report(f"neighbours of {what}", done, total)
            )
            return {"rows": found.rows, "recall": np.array([found.recall])}

        key = fingerprint(METHOD, search.vectors, search.pool, search.own, sorted(options.items()))
        kept = self.store.get(f"neighbours-of-{what}", key, find)
        if (share := kept["recall"][0]) < 1:
            asked = options["recall"]
            logger.info(
                "neighbours of %s are approximate: %.3f of the true ones found, %s asked for", what, share, asked
            )
        rows: np.ndarray = kept["rows"]
        return rows


def retrieve(
    splits: Splits,
    describe: Mapping[str, Any] | None = None,
    output: str | None = None,
    report: Report = silent,
    closed: bool = False,
    *,
    template: str = "{title}. {categories}. {brand}",
    k: PositiveInt = 10,
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8,
    same_user: bool = False,
    exact_below: NonNegativeInt = 50_000,
    recall: Annotated[float, Field(gt=0, le=1)] = 0.95,
    folder: str | None = None,
    **encoder: Any,
) -> Retrieved:
    """Return vectors of the items and of the training histories, and the k nearest of each.

    Items without training events have neighbours, but are not neighbours of other items. Results are stored in
    ``folder`` and reused as long as texts, encoder, options and training events are the same.

    Args:
        describe: options of a Describer, which queries a language model about the items, the histories, or both.
        output: the run folder; without ``folder``, results are stored next to it in ``.semantics``.
        report: receives the progress of each part (the command line's progress bar).
        closed: send no requests to endpoints; use their stored answers.
        template: text of an item, from columns of the side table.
        k: number of neighbours of an item, and of a history.
        decay: weight of an item relative to the one after it, in the vector of a history without a summary.
        same_user: allow other histories of the same user among the neighbours of a history.
        exact_below: with more vectors than this, the search is approximate.
        recall: share of the true nearest that an approximate search must find.
        folder: folder of stored results; without it and without an output, nothing is stored.
        encoder: ``name`` and the options of a component of ``ENCODERS``.

    Raises:
        ConfigError: the template names a column that doesn't exist, or a package isn't installed.
        DataError: the side table is missing or contains none of the items, or a stored file is damaged.
        EndpointError: a server is unreachable or returns unusable answers; earlier answers are kept.
    """
    stage = Stage(splits.train, splits.items, folder_of(folder, output), report)
    with stage.locked():
        return _retrieved(stage, describe, encoder, closed, template, k, decay, same_user, exact_below, recall)


def encode_items(
    splits: Splits,
    describe: Mapping[str, Any] | None = None,
    output: str | None = None,
    dense: bool = False,
    *,
    template: str,
    folder: str | None = None,
    **section: Any,
) -> np.ndarray | sp.csr_matrix:
    """Return the vectors of the items (I, S) without any search: sparse from an encoder of words (tfidf), else dense.

    They have length one; those of items without text are zero. With ``dense``, those of an encoder of words are dense
    too. Arguments and errors are those of ``retrieve``; the options of its searches have no effect.
    """
    stage = Stage(splits.train, splits.items, folder_of(folder, output), silent)
    encoder = {key: value for key, value in section.items() if key not in options(retrieve)}
    with stage.locked():
        describer, source = _components(describe, encoder, closed=False)
        if isinstance(source, CorpusEncoder) and not dense:
            return source.rows(stage.texts(source, describer, template))
        return stage.item_vectors(source, describer, template)


def _components(
    describe: Mapping[str, Any] | None, encoder: dict[str, Any], closed: bool
) -> tuple[Describer | None, Encoder | VectorFile]:
    """Return the describer, if any, and the encoder; with ``closed``, they send no requests."""
    describer = None if describe is None else Describer(**describe)
    source = ENCODERS[encoder.pop("name")](**encoder)
    for component in (describer, source):
        if closed and isinstance(endpoint := getattr(component, "endpoint", None), Endpoint):
            endpoint.closed = True
    return describer, source


def _retrieved(
    stage: Stage,
    describe: Mapping[str, Any] | None,
    encoder: dict[str, Any],
    closed: bool,
    template: str,
    k: int,
    decay: float,
    same_user: bool,
    exact_below: int,
    recall: float,
) -> Retrieved:
    train = stage.train
    describer, source = _components(describe, encoder, closed)
    vectors = stage.item_vectors(source, describer, template)
    histories = history_vectors(train, vectors, decay)
    if describer is not None and describer.histories and not isinstance(source, VectorFile):
        summaries = stage.summary_vectors(source, describer)
        histories = np.where(summaries.any(axis=1, keepdims=True), summaries, histories)

    every_row, itself = np.ones(len(train), dtype=bool), _itself(len(train))
    own = itself if same_user else np.stack([train.indptr[train.user], train.indptr[train.user + 1]], axis=1)
    taken = np.isin(np.arange(train.n_items), train.item)
    of_items = Search(vectors, taken, _itself(train.n_items))
    options = {"k": k, "exact_below": exact_below, "recall": recall}
    return Retrieved(
        item_vectors=vectors,
        item_neighbours=stage.neighbours(of_items, "items", **options),
        history_vectors=histories,
        history_neighbours=stage.neighbours(Search(histories, every_row, own), "histories", **options),
    )


def _itself(size: int) -> Int[np.ndarray, "E _"]:
    rows = np.arange(size)
    return np.stack([rows, rows + 1], axis=1)

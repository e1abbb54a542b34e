"""Items with the most similar texts, from the item table alone."""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from recpair.data.vocabulary import Ids
from recpair.errors import RunError, UnknownIdError
from recpair.run.run import Run
from recpair.semantics.encoders import CorpusEncoder, Encoder, normalised
from recpair.semantics.encoders.tfidf import Tfidf
from recpair.semantics.encoders.word_llama import WordLlama
from recpair.semantics.text import item_texts


class TextNeighbours:
    """Nearest items by the cosine of their texts: wordllama if it is installed, else TF-IDF; computed on first use.

    The text of an item is its row in the item table: all columns of text, or ``semantics.template`` of the run. Items
    without a training event in the run are left out. No model is read from the run folder.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._run = next((run for run in runs if run.items is not None), None)
        self._lock = Lock()

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return "wordllama" if find_spec("wordllama") else "tfidf"

    def prepare(self) -> None:
        """Encode the texts, if there are any."""
        with self._lock:
            _ = self._vectors

    def find(self, item_id: str, k: int) -> list[tuple[str, float]]:
        """Return the k nearest items and their cosine, the nearest first; those with cosine 0 or below are left out.

        Raises:
            RunError: the run has no item table with texts.
            UnknownIdError: the item has no text.
        """
        self.prepare()
        if self._run is None or self._vectors is None:
            raise RunError("the run has no item table with texts; give one with data.items when fitting")
        train = self._run.recommender.train
        ids: Ids = train.vocabulary.items
        index = int(ids.find(pl.Series([item_id]))[0])
        if index < 0 or not self._vectors[index].any():
            raise UnknownIdError(f"item {item_id} has no text")
        cosine = self._vectors @ self._vectors[index]
        cosine[index] = -1
        cosine[train.item_counts == 0] = -1
        best = np.argsort(-cosine, kind="stable")[:k]
        best = best[cosine[best] > 0]
        return [(str(id_), float(value)) for id_, value in zip(ids.of(best).to_list(), cosine[best], strict=True)]

    @cached_property
    def _vectors(self) -> np.ndarray | None:
        """Vectors (I, D) of length one, zeros without text; None without any text."""
        if self._run is None or self._run.items is None:
            return None
        template = _template(self._run.config, self._run.items)
        if template is None:
            return None
        texts = item_texts(self._run.items, self._run.recommender.train.vocabulary.items, template, quiet=True)
        kept = [index for index, text in enumerate(texts) if text]
        vectors = np.zeros((len(texts), 1), dtype=np.float32)
        encoder: Encoder = WordLlama() if self.encoder == "wordllama" else Tfidf(min_df=1)
        if isinstance(encoder, CorpusEncoder):
            encoder.learn(texts)
        if kept:
            found = normalised(np.asarray(encoder.encode([texts[index] for index in kept]), dtype=np.float32))
            vectors = np.zeros((len(texts), found.shape[1]), dtype=np.float32)
            vectors[kept] = found
        return vectors


def _template(config: dict[str, Any], items: pl.DataFrame) -> str | None:
    """The run's template if its columns exist, else all columns of text."""
    columns = [column for column in items.columns if column != "item_id"]
    section = config.get("semantics")
    if isinstance(section, dict) and isinstance(given := section.get("template"), str):
        used = [part.partition("}")[0] for part in given.split("{")[1:]]
        if used and set(used) <= set(columns):
            return given
    texts = [c for c in columns if items[c].dtype in (pl.String, pl.List(pl.String)) and not set(c) & set("{}!:[].")]
    return ". ".join(f"{{{column}}}" for column in texts) or None

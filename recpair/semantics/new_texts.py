"""Vectors of the texts of known and of new items, by an encoder that learns from the known items only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from recpair.data.vocabulary import Ids
from recpair.errors import ConfigError
from recpair.registry import options
from recpair.semantics.encoders import ENCODERS, CorpusEncoder, VectorFile, normalised
from recpair.semantics.progress import silent
from recpair.semantics.stage import retrieve
from recpair.semantics.store import Store
from recpair.semantics.text import item_texts
from recpair.semantics.vectors import text_vectors


def encode_known_and_new(
    known: pl.DataFrame, new: pl.DataFrame, section: Mapping[str, Any]
) -> tuple[Float[np.ndarray, "_ S"], Float[np.ndarray, "_ S"]]:
    """Return the vectors of the texts of two item tables, of length one; zeros for an item without text.

    Args:
        section: the config section ``semantics``; the options of its searches have no effect.

    Raises:
        ConfigError: the template names a column that does not exist, or a package is not installed.
        DataError: all texts of known items are empty, or a file of vectors is damaged or has none of the items.
    """
    chosen = {key: value for key, value in section.items() if key not in options(retrieve)}
    encoder = ENCODERS[chosen.pop("name")](**chosen)
    ids = [Ids("item", table["item_id"]) for table in (known, new)]
    if isinstance(encoder, VectorFile):
        both = Ids("item", pl.concat([each.values.cast(pl.String) for each in ids]))
        vectors = normalised(encoder.read(both))
        return vectors[: len(known)], vectors[len(known) :]
    texts = [
        item_texts(table, each, section["template"], quiet=True) for table, each in zip((known, new), ids, strict=True)
    ]
    if isinstance(encoder, CorpusEncoder):
        encoder.learn(texts[0])
    of_known = text_vectors(texts[0], encoder, Store(None), "known items", silent)
    if not any(texts[1]):
        return of_known, np.zeros((len(new), of_known.shape[1]), dtype=np.float32)
    return of_known, text_vectors(texts[1], encoder, Store(None), "new items", silent)


def default_section(table: pl.DataFrame) -> dict[str, Any] | None:
    """Return a section ``semantics`` for a table: TF-IDF of all columns of text; None without such a column.

    A column of text in which every value is a number does not count.
    """
    from recpair.data.features import read_numbers

    texts = [
        name
        for name, kind in table.schema.items()
        if name != "item_id"
        and kind in (pl.String, pl.List(pl.String))
        and read_numbers(table[name]) is None
        and table[name].null_count() < len(table)
    ]
    if not texts:
        return None
    strange = next((name for name in texts if set(name) & set("{}!:.[]")), None)
    if strange is not None:
        raise ConfigError(
            f"column {strange!r} cannot be part of a template; name the columns of the item texts with semantics"
        )
    return {"name": "tfidf", "min_df": 2, "dim": 256, "template": ". ".join(f"{{{name}}}" for name in texts)}

"""New items of a trained model: their content, read from an item table with the columns of the known items."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from recpair.config import Section, parse
from recpair.data.attributes import Attributes, aligned
from recpair.data.ids import shown
from recpair.data.interactions import Interactions
from recpair.data.new_rows import read_new_rows
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.errors import DataError, RunError
from recpair.errors import shown as quoted
from recpair.models import ContentModel, Model
from recpair.models.blas import one_thread
from recpair.run.item_map import Content, Quality, extend_by_content
from recpair.semantics.new_texts import default_section, encode_known_and_new
from recpair.semantics.text import parse_template
from recpair.signatures import Reference, registry

logger = logging.getLogger("recpair")

SCHEMA = {
    "semantics": Section(
        functions=(Reference.of("recpair.semantics:retrieve"),),
        choices=registry("recpair.semantics:ENCODERS"),
        default=None,
        usual="wordllama",
    )
}
SAFE = ("tfidf", "wordllama")  # encoders that open no file and call no server that a run folder names
TOLERANCE = 0.01  # relative error of the vectors of known texts, computed again
FEWEST = 3  # known items with content


@dataclass(frozen=True, eq=False)
class Added:
    """Items that were added to a run.

    Attributes:
        model: the extended model.
        train: the training events, over the extended vocabulary.
        table: the item table with the new rows.
        places: indices of the new items in the extended vocabulary.
        frame: the new rows.
        quality: held-out quality of the map from content to vectors or scores; None if the model itself reads content.
        source: the content in words.
    """

    model: Model
    train: Interactions
    table: pl.DataFrame
    places: np.ndarray
    frame: pl.DataFrame
    quality: Quality | None
    source: str


def section_of(config: Mapping[str, Any], chosen: Any, table: pl.DataFrame) -> dict[str, Any] | None:
    """Return the checked section ``semantics``: the chosen one, else that of the run, else TF-IDF of all columns of text.

    Raises:
        ConfigError: the chosen section is invalid.
        RunError: the encoder of the run opens a file or calls a server, which a run folder may not decide.
    """
    if chosen is not None:
        found: dict[str, Any] = parse({"semantics": chosen}, SCHEMA)["semantics"]
        return found
    own = config.get("semantics")
    if not own:
        section = default_section(table)
        if section is not None:
            logger.info("the run has no section semantics; the texts are all columns of text, encoded by tfidf")
        return section
    name = own.get("name") if isinstance(own, Mapping) else own
    if name not in SAFE:
        raise RunError(
            f"the item texts of the run are encoded by {quoted(name)}, which opens files or calls a server that the run folder "
            f"names; to use it, repeat the section: semantics={{'name': {name!r}, …}}"
        )
    found = parse({"semantics": own}, SCHEMA)["semantics"]
    return found


def content(
    train: Interactions,
    table: pl.DataFrame,
    new: pl.DataFrame,
    places: np.ndarray,
    size: int,
    section: Mapping[str, Any] | None,
) -> tuple[Content, str]:
    """Return the content of known and new items, and a description of its columns.

    Args:
        table: the item table, with ids of the vocabulary.
        new: rows of the new items, with the columns of the table.
        places: indices of the new items in a catalogue of ``size`` items.
        section: the checked section ``semantics``, or None without texts.

    Raises:
        DataError: fewer than three known items are in the table, or it has neither texts, categories nor numbers.
    """
    ids = train.vocabulary.items
    there = ids.find(table["item_id"])
    is_known = np.zeros(len(ids), dtype=bool)
    is_known[there[there >= 0]] = True
    is_known &= train.item_counts > 0
    known = np.flatnonzero(is_known)
    if len(known) < FEWEST:
        raise DataError(
            f"the item table has {len(known)} items with training events; expected at least {FEWEST} to learn from"
        )
    rows = aligned(table, ids)[known]
    attributes = Attributes.of(rows)
    texts = (np.zeros((len(known), 0), np.float32), np.zeros((len(new), 0), np.float32))
    if section is not None:
        texts = encode_known_and_new(rows, new, section)
    features = [
        np.concatenate([attributes.category_rows(each).toarray(), attributes.number_rows(each)], axis=1).astype(
            np.float32
        )
        for each in (rows, new)
    ]
    if texts[0].shape[1] + features[0].shape[1] == 0:
        raise DataError(
            "the item table has no column of texts, categories or numbers, from which new items could be placed"
        )
    if texts[0].shape[1] and (empty := int((~texts[1].any(axis=1)).sum())):
        logger.info("%s of %s new items have no known word in their text", f"{empty:,}", f"{len(new):,}")
    parts = [
        *([] if section is None else [_texts(section)]),
        *([f"{len(attributes.categories):,} categories ({attributes.column})"] if attributes.categories else []),
        *([f"numbers ({', '.join(attributes.numbers)})"] if attributes.numbers else []),
    ]
    return Content(train, size, known, places, *texts, *features), ", ".join(parts)


def _texts(section: Mapping[str, Any]) -> str:
    return f"texts ({section['name']}{'' if section['name'] == 'file' else ': ' + section['template']})"


def unseen_content(train: Interactions, table: pl.DataFrame | None, section: Mapping[str, Any] | None) -> Content:
    """Return the content of the items of the vocabulary without a training event, as new items.

    Raises:
        DataError: the item table is missing.
    """
    if table is None:
        raise DataError(
            "new items are ranked by their content, and the data has no item table; give it with data.items, or use another "
            "split"
        )
    section = default_section(table) if section is None else section
    places = np.flatnonzero(train.item_counts == 0)
    new = aligned(table, train.vocabulary.items)[places]
    found, source = content(train, table, new, places, train.n_items, section)
    logger.info("%s items without a training event are ranked by their content: %s", f"{len(places):,}", source)
    return found


def add_items(
    model: Model,
    train: Interactions,
    table: pl.DataFrame | None,
    frame: Any,
    keys: Sequence[str],
    config: Mapping[str, Any],
    chosen: Any = None,
    exposure: float | None = 1.0,
) -> Added:
    """Extend a trained model by new items.

    Args:
        table: the item table of the run, with ids of the vocabulary.
        frame: a polars or pandas frame, or the path of a table.
        keys: possible names of its id column.
        config: the sections of the run.
        chosen: a section ``semantics`` in place of that of the run.
        exposure: relative frequency of new items in lists (``item_map.Content.extend``).

    Raises:
        RunError: the run has no item table, or all items are known.
        DataError: the frame lacks a column or has an invalid value (``read_new_rows``), or nothing can be learnt from the
            table.
        ConfigError: the chosen section is invalid.
    """
    if table is None:
        raise RunError("the run has no item table, from which new items could be placed; train with data.items")
    ids = train.vocabulary.items
    section = section_of(config, chosen, table)
    asked = Attributes.of(table).columns() + ([] if section is None else fields_of(section))
    new = read_new_rows(frame, keys, ids, table, asked)
    index = ids.find(new["item_id"])
    trained = (index >= 0) & (train.item_counts[index] > 0)
    if trained.any():
        first = shown(new["item_id"].filter(pl.Series(trained)), 3)
        logger.info("items with training events are left as they are (%s of %s): %s", trained.sum(), len(new), first)
        new, index = new.filter(pl.Series(~trained)), index[~trained]
    if new.is_empty():
        raise RunError("all items have training events already; there is nothing to add")
    items, places = _extended(ids, new["item_id"], index)
    wide = replace(train, vocabulary=Vocabulary(train.vocabulary.users, items))
    extended: Model
    if isinstance(model, ContentModel) and model.reads_content:
        placed = placed_by_model(model, train, table, new, places, len(items), section)
        extended, factor = extend_by_content(placed, wide, places, exposure)
        quality, source = None, "the content that the model has learnt from"
        logger.info("%s new items from %s; spread × %.2f", f"{len(new):,}", source, factor)
    else:
        learnt, source = content(train, table, new, places, len(items), section)
        extended, quality = learnt.extend(model, exposure)
        logger.info("%s new items from %s: %s", f"{len(new):,}", source, quality)
        if quality.r2 <= 0:
            logger.warning(
                "the content of known items does not predict them (R² %.3f): new items are all alike", quality.r2
            )
    return Added(extended, wide, _joined(table, new, items), places, new, quality, source)


def placed_by_model(
    model: ContentModel,
    train: Interactions,
    table: pl.DataFrame,
    new: pl.DataFrame,
    places: np.ndarray,
    size: int,
    section: Mapping[str, Any] | None,
) -> ContentModel:
    """Return a model that reads content, with new items.

    The vectors of the texts of the known items are computed again, and the linear map to those that the model was trained
    with is applied to the new ones: latent semantic analysis determines vectors up to a rotation.

    Raises:
        RunError: the texts or categories of the known items are not those of the training.
    """
    rows = aligned(table, train.vocabulary.items)
    texts = np.zeros((len(new), 0), dtype=np.float32)
    if model.texts.shape[1] > 0:
        assert section is not None, "a model with texts was trained with the section semantics"
        of_known, texts = encode_known_and_new(rows, new, section)
        with one_thread():
            turn = np.linalg.lstsq(of_known.astype(np.float64), model.texts.astype(np.float64))[0]
            error = np.linalg.norm(of_known @ turn - model.texts) / np.linalg.norm(model.texts)
            texts = (texts @ turn).astype(np.float32)
        if error > TOLERANCE:
            raise RunError(
                f"the item texts of the run are encoded differently from those that its model was trained with (relative "
                f"error {error:.2g}); name the encoder and template of the training with semantics="
            )
    attributes = Attributes.of(rows.filter(pl.Series(train.item_counts > 0)))
    return model.with_items(size, places, texts, attributes.category_rows(new))


def fields_of(section: Mapping[str, Any]) -> list[str]:
    """Return the columns that the texts are made of; none for a file of vectors."""
    return [] if section["name"] == "file" else [field.column for field in parse_template(section["template"])]


def _extended(ids: Ids, new: pl.Series, index: np.ndarray) -> tuple[Ids, np.ndarray]:
    """Return the extended ids, which are text if the known or the new ones are, and the indices of the new items."""
    places = index.astype(np.int64)
    places[index < 0] = len(ids) + np.arange(int((index < 0).sum()))
    added, values = new.filter(pl.Series(index < 0)), ids.values
    if added.dtype != values.dtype:
        added, values = added.cast(pl.String), values.cast(pl.String)
    return Ids("item", pl.concat([values, added.alias(values.name)])), places


def _joined(table: pl.DataFrame, new: pl.DataFrame, ids: Ids) -> pl.DataFrame:
    """Return the item table with the new rows, which replace those of the same id."""
    keys = pl.Series(ids.find(table["item_id"]))
    kept = table.filter(~keys.is_in(ids.find(new["item_id"]).tolist()))
    return pl.concat([each.with_columns(ids.of(ids.find(each["item_id"])).alias("item_id")) for each in (kept, new)])

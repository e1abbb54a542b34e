"""Texts of items: rows of the side table formatted by a template."""

import html
import logging
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from recpair.data.histories import PADDING, before
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids
from recpair.errors import ConfigError, DataError
from recpair.registry import nearest

logger = logging.getLogger("recpair")

KEY = "semantics.template"
BETWEEN = re.compile(
    r"""([)\]"'»]*)([^\w(\["'«]*)(.*)""", re.S
)  # closes the field before · parts the two · opens the next


@dataclass(frozen=True)
class Field:
    """A column in a template, and the text around it.

    Attributes:
        separator: text before it, if another field precedes it.
        opening, closing: text around it in any position, such as a label or brackets.
    """

    column: str
    separator: str
    opening: str
    closing: str


def parse_template(template: str) -> list[Field]:
    """Return the fields of ``"{title}. Made by {brand} ({year})"`` in order.

    Raises:
        ConfigError: braces are unbalanced, a field has no plain name, or there are no fields.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"{KEY} is {template!r}: {error}; write columns as {{title}}") from None
    for _, column, specification, conversion in parts:
        if column is not None and (not column or specification or conversion):
            raise ConfigError(f"{KEY} is {template!r}; write columns by name alone, as {{title}}")
    columns, literals = [], [""]
    for literal, column, _, _ in parts:
        literals[-1] += literal
        if column is not None:
            columns.append(column)
            literals.append("")
    if not columns:
        raise ConfigError(
            f"{KEY} is {template!r} which contains no column; expected a template such as {{title}}. {{brand}}"
        )
    between = [match.groups() for text in literals[1:-1] if (match := BETWEEN.fullmatch(text))]
    separators, openings = ["", *(b[1] for b in between)], [literals[0], *(b[2] for b in between)]
    closings = [*(b[0] for b in between), literals[-1]]
    return [Field(*field) for field in zip(columns, separators, openings, closings, strict=True)]


def render(fields: list[Field], row: Mapping[str, Any]) -> str:
    """Return the text of a row. If a field is missing, the text around it is dropped too."""
    text = ""
    for field in fields:
        if value := as_text(row[field.column]):
            text += (field.separator if text else "") + field.opening + value + field.closing
    return text


def item_texts(items: pl.DataFrame | None, ids: Ids, template: str, *, quiet: bool = False) -> list[str]:
    """Return a text per item (I), "" if nothing is known; missing texts are counted in a note, unless ``quiet``.

    Raises:
        ConfigError: the template names a column that the table doesn't have.
        DataError: the side table is missing, or contains none of the items.
    """
    fields = parse_template(template)
    if items is None:
        raise DataError("semantics needs a table of the items, and the data has none; give it with data.items")
    existing = [column for column in items.columns if column != "item_id"]
    for field in fields:
        if field.column not in existing:
            raise ConfigError(
                f"{KEY} names {field.column!r}, which the item table does not have"
                f"{nearest(field.column, existing)} (columns: {', '.join(existing)})"
            )
    place = ids.find(items["item_id"])
    texts = [""] * len(ids)
    rows = items.select({field.column for field in fields}).iter_rows(named=True)
    for index, row in zip(place, rows, strict=True):
        if index >= 0:
            texts[index] = render(fields, row)
    _check_coverage(int((place >= 0).sum()), items, ids, quiet)
    if (without := sum(not text for text in texts)) and not quiet:
        logger.info("%s of %s items have no text; their vectors are zero", f"{without:,}", f"{len(ids):,}")
    return texts


def history_texts(train: Interactions, titles: list[str], length: int) -> list[str]:
    """Return a text per training row (E): the numbered titles of its user's items before it, at most ``length``."""
    texts = []
    for items in before(train, np.arange(len(train)), length).tolist():
        told = [titles[item] for item in items if item != PADDING and titles[item]]
        texts.append("\n".join(f"{number}. {title}" for number, title in enumerate(told, start=1)))
    return texts


def _check_coverage(matched: int, items: pl.DataFrame, ids: Ids, quiet: bool) -> None:
    share = f"{matched:,} of {len(ids):,} items ({matched / len(ids):.1%}) are in the table of the items"
    if matched == 0:
        raise DataError(
            f"{share}: it has ids such as {items['item_id'][0]!r}, the events such as {ids.values[0]!r}; "
            f"name its id column with data.columns.item, or give the table that belongs to the events"
        )
    if matched < len(ids) and not quiet:
        logger.info(share)


def as_text(value: Any) -> str:
    """Return a cell as text: lists joined by commas, HTML's &amp; as &, white space as one blank, "" if empty."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, list):
        return ", ".join(filter(None, map(as_text, value)))
    return " ".join(html.unescape(str(value)).split())

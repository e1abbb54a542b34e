"""Names and details of items and ids as text, for display."""

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import polars as pl

from recpair.run.run import Run
from recpair.semantics.text import as_text

TITLES = ("title", "name", "item_name", "product_name")  # the first column found is the title; else the first text
TITLE, DETAIL, CELL = 160, 90, 600  # characters of a title, of a line of details, of a cell
COLUMNS = 12  # of an item page
DETAILS = 3


@dataclass(frozen=True)
class Card:
    """Display of an item: its title (None if unknown), a line of details, and all columns of the item table."""

    title: str | None
    detail: str
    row: dict[str, str]


EMPTY = Card(None, "", {})


class Cards:
    """Cards of the items of several runs by id; the first run with a row for an item counts."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._tables: list[tuple[dict[str, int], pl.DataFrame, str | None]] = []
        self._made: dict[str, Card] = {}
        for run in runs:
            if run.items is not None:
                places = {str(id_): row for row, id_ in enumerate(run.items["item_id"].to_list())}
                self._tables.append((places, run.items, title_column(run.items)))

    @property
    def titled(self) -> bool:
        """True if any item table has a title column."""
        return any(column is not None for _, _, column in self._tables)

    def of(self, item_id: str) -> Card:
        """Return the card of an item; an empty one if no item table has it."""
        if item_id not in self._made:
            self._made[item_id] = self._make(item_id)
        return self._made[item_id]

    def titles(self, item_ids: Iterable[str]) -> list[str]:
        """Return the title of each item, "" if unknown."""
        found = [""] * len(item_ids := list(item_ids))
        for places, table, column in reversed(self._tables):
            if column is not None:
                texts = table[column].to_list()
                for position, item_id in enumerate(item_ids):
                    if (row := places.get(item_id)) is not None and texts[row] is not None:
                        found[position] = as_text(texts[row])
        return found

    def _make(self, item_id: str) -> Card:
        for places, table, title in self._tables:
            if (row := places.get(item_id)) is not None:
                values: dict[str, Any] = table.row(row, named=True)
                texts = {name: as_text(value) for name, value in values.items() if name != "item_id"}
                rest = [text for name, text in texts.items() if name != title and text and not text.startswith("http")]
                detail = shorten(" · ".join(rest[:DETAILS]), DETAIL, placeholder="…")
                shown = {name: shorten(text, CELL, placeholder="…") for name, text in texts.items() if text}
                named = shorten(texts.get(title or "", ""), TITLE, placeholder="…")
                return Card(named or None, detail, dict(list(shown.items())[:COLUMNS]))
        return EMPTY

    def brief(self, item_id: Any) -> dict[str, Any]:
        """Return id, title and detail of an item."""
        card = self.of(str(item_id))
        return {"id": str(item_id), "title": card.title, "detail": card.detail}


def title_column(items: pl.DataFrame) -> str | None:
    """Return the name of the title column: one of ``TITLES``, else the first column of text."""
    texts = [column for column in items.columns if column != "item_id" and items[column].dtype == pl.String]
    return next((name for name in TITLES if name in texts), texts[0] if texts else None)

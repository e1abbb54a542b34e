"""Events and item tables as RecBole's atomic files: tab-separated, with a header of ``name:type``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from recpair import files
from recpair.data.interactions import Interactions

TYPES = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}
UNKNOWN = "[unknown]"


def write_atomic(folder: Path, name: str, parts: Mapping[str, Interactions], items: pl.DataFrame | None) -> None:
    """Write ``<name>.inter`` for one part, ``<name>.<part>.inter`` for several, and ``<name>.item`` to a folder."""
    tables = {f"{name}.inter" if len(parts) == 1 else f"{name}.{part}.inter": events(e) for part, e in parts.items()}
    if items is not None:
        tables[f"{name}.item"] = item_table(items)
    for file, table in tables.items():
        files.write(folder / file, partial(table.write_csv, separator="\t", quote_style="never"))


def events(interactions: Interactions) -> pl.DataFrame:
    """Return the columns of an ``.inter`` file."""
    frame = interactions.to_polars()
    known = [name for name in TYPES if name in frame.columns]
    return frame.select(
        _text(pl.col(name)).alias(f"{name}:token")
        if TYPES[name] == "token"
        else pl.col(name).alias(f"{name}:{TYPES[name]}")
        for name in known
    )


def item_table(items: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of an ``.item`` file: numbers as float, lists and multi-word texts as token_seq, else token.

    Missing values are filled, as RecBole's filling has no effect under pandas 3: numbers with the mean of the column,
    as RecBole intends, anything else with ``[unknown]``. RecBole 1.2.1 itself reads token_seq columns under pandas 2
    only (``Series.agg(len)`` behaves differently in pandas 3): leave them out of ``load_col`` there.
    """
    columns = []
    for column in items.get_columns():
        name = column.name
        if name == "item_id":
            columns.append(items.select(_text(pl.col(name)).alias("item_id:token")).to_series())
        elif column.dtype.is_numeric():
            filled = column.cast(pl.Float64).fill_nan(None)
            columns.append(filled.fill_null(filled.mean() if filled.count() else 0.0).alias(f"{name}:float"))
        else:
            words = column.list.join(" ", ignore_nulls=True) if isinstance(column.dtype, pl.List) else column
            text = words.to_frame().select(_text(pl.col(name))).to_series().replace("", None).fill_null(UNKNOWN)
            several = isinstance(column.dtype, pl.List) or text.str.contains(" ").any()
            columns.append(text.alias(f"{name}:{'token_seq' if several else 'token'}"))
    return pl.DataFrame(columns)


def _text(column: pl.Expr) -> pl.Expr:
    """Return a value as one line without tabs."""
    return column.cast(pl.String).str.replace_all(r"\s+", " ").str.strip_chars()

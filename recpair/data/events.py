"""Events and side tables as read from external sources, before filters and splits."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl
import scipy.sparse as sp

from recpair.data.content import unpacked
from recpair.data.formats import read_table
from recpair.data.frames import as_polars
from recpair.data.indexing import Index
from recpair.data.interactions import Interactions
from recpair.data.reading import OnMissing, Standardised, standardise
from recpair.data.shop import shop
from recpair.data.table import STANDARD, Role, Table, ids_of, listed, named_columns
from recpair.data.times import UNKNOWN, Clock, TimeUnit
from recpair.data.vocabulary import Ids
from recpair.errors import ConfigError, DataError
from recpair.registry import lookup

SYNTHETIC = "{name} is generated: use it to try recpair, not to compare methods"


@dataclass(frozen=True)
class Events:
    """Events with external ids, and the side tables of their items and users.

    Attributes:
        source: user_id, item_id and optionally rating, timestamp, weight, split; in the order of the source.
        items, users: side tables whose first column is item_id or user_id, or None.
        name: name in messages and in tracking.
        index: index of the source if built by a filter; then only its events are used.
        clock: unit of the times.
        notes: assumptions made in reading.
        unrated: the first event without a rating, for a message, or None.
    """

    source: pl.DataFrame
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    name: str = "events"
    index: Index | None = None
    clock: Clock = UNKNOWN
    notes: tuple[str, ...] = ()
    unrated: str | None = None

    def __len__(self) -> int:
        return len(self.source if self.index is None else self.index)

    @property
    def frame(self) -> pl.DataFrame:
        """The events as a frame, in the order of the source."""
        return self.source if self.index is None else self.index.frame

    def of_frame(self, frame: pl.DataFrame) -> "Events":
        """Return the events with another frame."""
        return replace(self, source=frame, index=None)

    def of_index(self, index: Index) -> "Events":
        """Return the events selected by an index."""
        return replace(self, source=index.source, index=index)


@dataclass(frozen=True)
class Located:
    """Paths of a named data set, and its renamed columns."""

    events: Path
    items: Path | None = None
    users: Path | None = None
    rename: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Generated:
    """Events and items of a generated data set, with standard column names."""

    events: pl.DataFrame
    items: pl.DataFrame


def ml_100k() -> Located:
    """MovieLens-100K from the installed recbole wheel, without importing recbole; else as downloaded."""
    found = importlib.util.find_spec("recbole")
    folder = Path(found.origin).parent / "dataset_example" / "ml-100k" if found and found.origin else None
    if folder is None or not folder.is_dir():
        try:
            return fetched("ml-100k")
        except DataError:
            raise DataError(
                f"ml-100k comes inside the recbole wheel, which is not installed (it needs Python 3.11), and is not in "
                f"{data_root() / 'ml-100k'}; run recpair data fetch ml-100k, or use the generated data.source=shop"
            ) from None
    rename = {"movie_title": "title", "class": "genres"}
    return Located(folder / "ml-100k.inter", folder / "ml-100k.item", folder / "ml-100k.user", rename)


def fetched(name: str) -> Located:
    """Data set downloaded by ``recpair data fetch`` to ``data/`` (or ``$RECPAIR_DATA``)."""
    folder = data_root() / name
    events = folder / "interactions.parquet"
    if not events.is_file():
        raise DataError(f"data set {name} is not in {folder}; run: recpair data fetch {name}")
    items, users = (path if (path := folder / f"{kind}.parquet").is_file() else None for kind in ("items", "users"))
    return Located(events, items, users)


def data_root() -> Path:
    """Folder of the downloaded data sets: ``$RECPAIR_DATA``, else ``data`` in the working directory."""
    return Path(os.environ.get("RECPAIR_DATA", "data"))


def generated_shop() -> Generated:
    """A web shop with titles, generated when it is read (``data.shop``)."""
    return Generated(*shop())


SOURCES: dict[str, Callable[[], Located | Generated]] = {
    "ml-100k": ml_100k,
    "ml-1m": lambda: fetched("ml-1m"),
    "gowalla": lambda: fetched("gowalla"),
    "yelp2018": lambda: fetched("yelp2018"),
    "amazon-beauty": lambda: fetched("amazon-beauty"),
    "shop": generated_shop,
}


def read_data(
    *,
    source: str | None = None,
    path: str | None = None,
    items: str | None = None,
    users: str | None = None,
    columns: dict[Role, str | int] | None = None,
    separator: str | None = None,
    header: bool | Literal["auto"] | None = None,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    on_missing: OnMissing = "error",
) -> Events:
    """Read the events of a named set (``source``) or of a file or folder (``path``), with side tables.

    Args:
        source: a name of ``SOURCES``.
        path: csv, tsv, txt, dat or jsonl, optionally compressed (gz, zst, bz2); parquet (a file or a folder of files);
            ``.inter``, or RecBole's data set folder.
        items, users: side tables in any of these formats, one row per item or user.
        columns: role (user, item, rating, time, split, weight) → column name or 0-based position. ``weight`` is the
            weight of an event (above 0), read only if given here.
        separator: separator of text files; detected if null.
        header: whether line 1 of a text file is a header; ``auto`` (or null): detected, with a note.
        time_unit: unit of numeric times: s, ms, us or ns since 1970, or ``order`` for positions; detected if null.
        time_format: format of times as text: a strptime format such as ``%d/%m/%Y``; detected if null.
        on_missing: ``error`` or ``drop`` for rows without a user, an item or a time.

    Raises:
        DataError: the data are invalid; names the file, the line and the column.
        ConfigError: neither or both of source and path are given.
    """
    if (source is None) == (path is None):
        raise ConfigError("give either data.source (a named set) or data.path (a file or folder)")
    named, reading = named_columns(columns), _reading(time_unit, time_format, on_missing)
    if source is not None:
        found = lookup(SOURCES, source, "data.source")()
        if isinstance(found, Generated):
            events = events_from(found.events, named, found.items, name=source, **reading)
            return replace(events, notes=(*events.notes, SYNTHETIC.format(name=source)))
        located, name = found, source
    else:
        located = locate(Path(str(path)).expanduser())
        name = unpacked(located.events).stem
    table = read_table(located.events, named, separator=separator, header=header)
    events = _events(standardise(table, named, **reading), name)
    items_path, users_path = items or located.items, users or located.users
    return replace(
        events,
        items=_side_table(items_path, "item", named, located, events.frame) if items_path else None,
        users=_side_table(users_path, "user", named, located, events.frame) if users_path else None,
    )


def events_from(
    data: Any,
    columns: Mapping[str, str | int] | None = None,
    items: Any = None,
    users: Any = None,
    name: str = "events",
    *,
    time_unit: TimeUnit | None = None,
    time_format: str | None = None,
    on_missing: OnMissing = "error",
) -> Events:
    """Convert in-memory objects to events: polars or pandas frames, Interactions, a scipy matrix of users × items.

    Events are returned unchanged. The other arguments are those of ``read_data``.

    Raises:
        DataError: the object is of another type, or a row is invalid.
    """
    if isinstance(data, Events):
        return data
    if isinstance(data, sp.sparray | sp.spmatrix):
        data = Interactions.from_scipy(data)
    if isinstance(data, Interactions):
        columns = None if data.weight is None else {"weight": "weight"}
        data = data.to_polars()
    columns = named_columns(columns)
    frame, existing = as_polars(data, name, columns)
    table = Table(frame, name, columns=existing)
    events = _events(standardise(table, columns, **_reading(time_unit, time_format, on_missing)), name)
    return replace(
        events,
        items=None if items is None else _checked_side(_whole(items, "items"), "item_id", events.frame),
        users=None if users is None else _checked_side(_whole(users, "users"), "user_id", events.frame),
    )


def _reading(time_unit: TimeUnit | None, time_format: str | None, on_missing: OnMissing) -> dict[str, Any]:
    return {"time_unit": time_unit, "time_format": time_format, "on_missing": on_missing}


def _whole(data: Any, kind: str) -> Table:
    frame, columns = as_polars(data, kind)
    return Table(frame, kind, columns=columns)


def _events(read: Standardised, name: str) -> Events:
    return Events(read.frame, name=name, clock=read.clock, notes=read.notes, unrated=read.unrated)


def locate(path: Path) -> Located:
    """Locate a path; for RecBole's format, including the side tables next to the events."""
    atomic = path / f"{path.name}.inter" if path.is_dir() else path
    if atomic.suffix != ".inter" or not atomic.is_file():
        return Located(path)
    items, users = (side if (side := atomic.with_suffix(ending)).is_file() else None for ending in (".item", ".user"))
    return Located(atomic, items, users)


def _side_table(
    path: str | Path, kind: str, columns: Mapping[str, str | int], located: Located, events: pl.DataFrame
) -> pl.DataFrame:
    key = columns.get(kind)
    table = read_table(path, {kind: key} if isinstance(key, str) else {}, header=True, whole=True)
    renamed = {old: new for old, new in (located.rename or {}).items() if old in table.frame.columns}
    frame = table.frame.rename(renamed)
    table = table.with_frame(frame, frame.columns)
    return _checked_side(
        table, key if isinstance(key, str) and key in frame.columns else STANDARD[kind], events, STANDARD[kind]
    )


def _checked_side(table: Table, key: str, events: pl.DataFrame, standard: str | None = None) -> pl.DataFrame:
    """Return the side table with canonical ids first, one row per id; ids are text if those of the events are."""
    standard = standard or key
    if key not in table.frame.columns:
        raise DataError(f"{table.name} has no column {key!r} (found: {listed(table.columns)})")
    ids, known = ids_of(table, key), events[standard]
    if ids.is_empty():
        raise DataError(f"{table.name} has a header and no rows; expected one row per id")
    place = pl.Series(Ids(standard.removesuffix("_id"), known.unique()).find(ids))
    row = table.first_true(~ids.is_first_distinct() | ((place >= 0) & ~place.is_first_distinct()))
    if row is not None:
        raise DataError(f"{table.place(row)}: {key} {ids[row]!r} occurs twice; expected one row per id")
    if len(events) > 0 and not (place >= 0).any():
        raise DataError(
            f"{table.name}: no {key} is among the events' (here {ids[0]!r}, there {known[0]!r}); "
            f"expected the same ids in both"
        )
    if known.dtype == pl.String:
        ids = ids.cast(pl.String)
    rest = [column for column in table.frame.columns if column not in (key, standard)]
    return table.frame.select(ids.alias(standard), *rest)


def require_something_to_rank(events: Events) -> None:
    """Raise a DataError if there is only one user or only one item."""
    for kind in ("user", "item"):
        ids: pl.Series = events.frame[f"{kind}_id"] if events.index is None else getattr(events.index, f"{kind}_ids")
        if (ids == ids[0]).all():
            raise DataError(
                f"{events.name} has events of one {kind} only ({ids[0]!r}); recommending needs at least two {kind}s"
            )

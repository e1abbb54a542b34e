"""Guesses of the role of each column in an unknown table of events, from names and values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from recpair.data.ids import canonical
from recpair.data.table import NO_VALUE, listed, missing
from recpair.data.times import BadTime, Clock, read_times
from recpair.errors import DataError

# Words of column names, the likeliest first.
WORDS: dict[str, tuple[str, ...]] = {
    "user": (
        *("user", "uid", "customer", "client", "member", "visitor", "reviewer", "buyer", "shopper", "subscriber"),
        *("listener", "reader", "viewer", "player", "guest", "msno", "profile", "account", "person", "session"),
    ),
    "item": (
        *("item", "iid", "product", "sku", "asin", "article", "movie", "film", "track", "song", "book", "isbn"),
        *("video", "game", "app", "album", "artist", "venue", "poi", "business", "restaurant", "place", "location"),
        *("recipe", "news", "document", "doc", "content", "course", "listing", "offer", "ad", "post", "page", "url"),
        *("title",),
    ),
    "time": ("timestamp", "datetime", "time", "ts", "at", "date", "created", "when", "day"),
    "rating": ("rating", "ratings", "rate", "stars", "star", "overall", "score", "grade"),
    "split": ("split", "fold", "subset", "partition"),
}
SUFFIXES = {
    *("id", "ids", "key", "no", "nr", "num", "number", "code"),
    *("ref", "hash", "uuid", "guid", "idx", "index", "name"),
}
OTHER_EVENTS = {"updated", "modified", "end", "expires", "release", "birth", "delivery", "shipped", "published"}
TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
GIVEN = "given"
LEVELS = 11  # at most as many distinct values as a rating scale from 0 to 10
SAMPLE = 1000  # values that are read to recognise times
TRAINING, TESTING = {"train", "training"}, {"test", "testing"}


@dataclass(frozen=True)
class Guess:
    """The column of a role: its position, and the reason for the guess."""

    place: int
    reason: str


@dataclass(frozen=True)
class Columns:
    """All columns of a table of events.

    Attributes:
        names: names in the source; a file without a header has none (empty text).
        values: the columns, of text for text files.
    """

    names: Sequence[str]
    values: Sequence[pl.Series]
    source: str

    def named(self, role: str, place: int) -> int | None:
        """Rank of a name for a role, 0 for the best; None if the name does not fit."""
        tokens = [token.lower() for token in TOKEN.findall(self.names[place])]
        label = tokens[-1:] == ["name"]
        while len(tokens) > 1 and tokens[-1] in SUFFIXES:
            tokens.pop()
        if not tokens:
            return None
        *before, word = tokens
        word = word if word in WORDS[role] else re.sub(r"id$", "", word)
        others = {each for kind in ("user", "item") if kind != role for each in WORDS[kind][:14]}
        if word not in WORDS[role] or (role in ("user", "item") and others & set(before)):
            return None
        penalty = 100 * bool(OTHER_EVENTS & {*before, *tokens}) if role == "time" else 0
        return WORDS[role].index(word) * 4 + 2 * label + bool(before) + penalty

    def by_name(self, role: str, free: Sequence[int]) -> list[int]:
        """Places of the free columns whose names fit a role, the best first."""
        ranks = {place: rank for place in free if (rank := self.named(role, place)) is not None}
        return sorted(ranks, key=lambda place: (ranks[place], place))


def guess_columns(columns: Columns, given: Mapping[str, int]) -> dict[str, Guess]:
    """Return the column of each role that the table has; user and item are always among them.

    Args:
        given: role → position of the columns that the user has named; the others are guessed.

    Raises:
        DataError: names and values do not tell which columns are the users and the items.
    """
    found = {role: Guess(place, GIVEN) for role, place in given.items()}
    steps = {"split": _split, "time": _time, "rating": _rating}
    for role, step in steps.items():
        if role not in found and (guess := step(columns, _free(columns, found))) is not None:
            found[role] = guess
    for role in ("user", "item"):
        if role in found:
            continue
        fitting = [
            place for place in columns.by_name(role, _free(columns, found)) if columns.values[place].n_unique() > 1
        ]
        if fitting:
            also = [columns.names[place] for place in fitting[1:]]
            found[role] = Guess(fitting[0], "by its name" + (f", before {listed(also)}" if also else ""))
    if lacking := [role for role in ("user", "item") if role not in found]:
        constant = {role: places[0] for role in lacking if (places := columns.by_name(role, _free(columns, found)))}
        if len(constant) == len(lacking):  # a later check refuses a single user or item, with its name
            return found | {role: Guess(place, "by its name") for role, place in constant.items()}
        found |= _by_values(columns, found, lacking)
    return found


def _free(columns: Columns, found: Mapping[str, Guess]) -> list[int]:
    used = {guess.place for guess in found.values()}
    return [place for place in range(len(columns.names)) if place not in used]


def _split(columns: Columns, free: Sequence[int]) -> Guess | None:
    """A column named as a split with a training and a test part, and few other words."""
    for place in columns.by_name("split", free):
        values = columns.values[place]
        if values.dtype != pl.String or values.n_unique() > 4:
            continue
        words = {str(word).lower() for word in values.unique().drop_nulls()}
        if words & TRAINING and words & TESTING:
            return Guess(place, "by its name and values")
    return None


def _time(columns: Columns, free: Sequence[int]) -> Guess | None:
    """A column whose name fits and whose values can be times; else the only column of dates or seconds."""
    named = [place for place in columns.by_name("time", free) if clock_of(columns.values[place]) is not None]
    if named:
        also = [columns.names[place] for place in named[1:]]
        return Guess(named[0], "by its name" + (f", before {listed(also)}" if also else ""))
    dated = [
        place
        for place in free
        if not any(columns.named(role, place) is not None for role in ("user", "item", "rating"))
        and (clock := clock_of(columns.values[place])) is not None
        and clock.per_second is not None
    ]
    return Guess(dated[0], "by its values") if len(dated) == 1 else None


def clock_of(values: pl.Series) -> Clock | None:
    """Return the unit of values that can be times and differ; None if they cannot.

    Dates whose order of day and month is not determined count: reading them asks for ``data.time_format``.
    """
    known = values.drop_nulls()
    if values.dtype == pl.String:
        known = known.filter(~(known.is_in(NO_VALUE) | missing(known)))
    if values.dtype.is_nested() or values.dtype in (pl.Boolean, pl.Object, pl.Binary, pl.Time) or known.n_unique() < 2:
        return None
    try:
        return read_times(known.head(SAMPLE)).clock
    except BadTime as bad:
        return Clock() if "time_format" in bad.expected and "day or the month" in bad.expected else None


def _rating(columns: Columns, free: Sequence[int]) -> Guess | None:
    """A column named as a rating in which every value is a number."""
    for place in columns.by_name("rating", free):
        if numbers_of(columns.values[place]) is not None:
            return Guess(place, "by its name")
    return None


def numbers_of(values: pl.Series) -> pl.Series | None:
    """Return a column as numbers; None if a value is missing or is not a number."""
    if not (values.dtype.is_numeric() or values.dtype == pl.String):
        return None
    numbers = values.cast(pl.Float64, strict=False).fill_nan(None)
    return None if numbers.has_nulls() else numbers


def _by_values(columns: Columns, found: Mapping[str, Guess], lacking: Sequence[str]) -> dict[str, Guess]:
    """Guess the users and the items, in this order, as the only columns left whose values repeat as ids do."""
    free = [place for place in _free(columns, found) if _is_id(columns.values[place])]
    if len(free) > len(lacking):
        free = [place for place in free if columns.values[place].n_unique() > LEVELS]
    if len(free) != len(lacking):
        names = listed(name or f"column {place}" for place, name in enumerate(columns.names))
        raise DataError(
            f"{columns.source}: cannot tell which column is the {lacking[0]} (found: {names}); name it, as in "
            + " ".join(f"data.columns.{role}=COLUMN" for role in lacking)
        )
    order = "the first two columns" if len(lacking) == 2 else "the only column left"
    return {
        role: Guess(place, f"by its values, as {order} whose values repeat: check it")
        for role, place in zip(lacking, free, strict=True)
    }


def _is_id(values: pl.Series) -> bool:
    """Return True if a column can hold ids of users or items: whole numbers or text, some of them repeated."""
    if values.dtype.is_nested() or values.dtype.is_temporal() or values.dtype in (pl.Boolean, pl.Object, pl.Binary):
        return False
    known = values.drop_nulls()
    distinct = known.n_unique()
    if distinct < 2 or distinct == len(known) or len(known) < len(values) / 2:
        return False
    clock = clock_of(known)
    if canonical(known.head(SAMPLE), "values").dtype == pl.Int64:
        return clock is None or clock.per_second is None
    return clock is None  # neither dates nor numbers with a fraction

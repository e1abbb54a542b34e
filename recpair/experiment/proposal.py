"""Proposal of a config for a file of events: columns, split, model and item texts, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from recpair.data import SPLITS
from recpair.data.columns import Look
from recpair.data.dataset import Dataset
from recpair.data.events import Events
from recpair.data.guessing import GIVEN, TESTING, TOKEN, TRAINING, Guess, numbers_of
from recpair.data.splitting import Splits, apply_split
from recpair.data.table import STANDARD, missing
from recpair.errors import DataError
from recpair.semantics.encoders.tfidf import Tfidf
from recpair.semantics.text import item_texts

VALIDATION = {"valid", "validation", "val", "dev", "eval"}
TESTED = 50  # users that a test part should have, or a tenth of all users
DENSE = 20_000  # items up to which the item–item matrix of ease fits memory: 1.6 GB
TEXTS = ("title", "name", "description", "category", "categories", "genre", "genres", "brand", "author", "artist")
CUTOFFS = (10, 20)
WEIGHTS = {"quantity", "qty", "count", "plays", "play_count", "playcount", "listens", "n"}


@dataclass
class Proposal:
    """Sections of a config with reasons.

    Attributes:
        sections: the config, without defaults that need no mention.
        reasons: dotted key → reason, printed as a comment.
        hints: section → commented lines of further options.
    """

    sections: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    hints: dict[str, list[str]] = field(default_factory=dict)

    def add(self, section: str, values: Mapping[str, Any], **reasons: str) -> None:
        """Add keys of a section, and reasons by key."""
        self.sections.setdefault(section, {}).update(values)
        self.reasons |= {f"{section}.{key}": reason for key, reason in reasons.items()}

    def hint(self, section: str, line: str) -> None:
        """Add a commented line to a section."""
        self.hints.setdefault(section, []).append(line)


def propose_data(proposal: Proposal, look: Look, guesses: Mapping[str, Guess], on_missing: str | None) -> None:
    """Add the columns, the header and the treatment of missing values.

    Raises:
        DataError: more than half of the events lack a user, an item or a time.
    """
    values, columns = look.columns.values, {}
    for role in (role for role in (*STANDARD, "weight") if role in guesses):
        guess = guesses[role]
        if role == "rating" and guess.reason != GIVEN and look.reference(guess.place) == STANDARD["rating"]:
            continue  # the standard name is read anyway, and may be missing
        columns[role] = look.reference(guess.place)
        proposal.reasons[f"data.columns.{role}"] = GIVEN if guess.reason == GIVEN else f"guessed {guess.reason}"
    proposal.add("data", {"columns": columns})
    if look.header is False:
        proposal.add("data", {"header": False}, header=look.reason or GIVEN)
    gaps = {role: missing(values[guesses[role].place]) for role in columns if role != "split"}
    lacking = pl.DataFrame(gaps).select(pl.any_horizontal(pl.all())).to_series()
    if on_missing is None and lacking.any():
        counts = ", ".join(f"{role} {int(gap.sum()):,}" for role, gap in gaps.items() if gap.any())
        found = f"{int(lacking.sum()):,} of {len(lacking):,} events lack a value ({counts})"
        if lacking.mean() > 0.5:  # type: ignore[operator]
            raise DataError(
                f"{look.columns.source}: {found}; name other columns with data.columns, or set data.on_missing=drop"
            )
        proposal.add("data", {"on_missing": "drop"}, on_missing=f"{found} and are left out")
    for place, name in enumerate(look.columns.names):
        if name.lower() in WEIGHTS and place not in {guess.place for guess in guesses.values()}:
            proposal.hint("data", f"columns.weight: {name}  would weight the losses of the events by this column")
    if "rating" in guesses and (ratings := numbers_of(values[guesses["rating"].place])) is not None:
        low, high = float(ratings.min()), float(ratings.max())  # type: ignore[arg-type]
        bound = low + 0.75 * (high - low)
        proposal.hint("filter", f"min_rating: {bound:g}  would leave out lower ratings; they are {low:g} to {high:g}")


def propose_split(events: Events, given: Mapping[str, Any] | None) -> tuple[str, dict[str, Any], str, Splits]:
    """Return name and options of a split that suits the events, the reason, and the parts.

    The split column, if it names a training and a test part. With times: ``temporal`` if at least half of its held-out
    events are of users with training events, and its test part has enough users; else ``leave_last`` if enough users
    have three events. Otherwise ``ratio``. Enough is 50 users, or a tenth of all users if these are fewer.

    Args:
        given: the section ``split``, if the user has given it.

    Raises:
        DataError: no split leaves events in all parts.
    """
    dataset = Dataset.from_events(events)
    if given is not None:
        options = dict(given)
        name = options.pop("name")
        return name, {}, GIVEN, apply_split(dataset, SPLITS[name](dataset, **options), name)
    interactions = dataset.interactions
    enough = min(TESTED, -(-interactions.n_users // 10))
    tried: list[tuple[str, dict[str, Any], str]] = []
    if dataset.split is not None and (words := _words(dataset.split)) is not None:
        tried.append(("predefined", words, "the parts of the split column"))
    timed = interactions.time is not None and len(np.unique(interactions.time)) > 1
    if timed:
        shares = "80 % train, 10 % validate, 10 % test"
        tried.append(("temporal", {}, f"all events after one point in time are held out, as in use: {shares}"))
        tried.append(("leave_last", {}, "the last event of each user is the test, the one before it validates"))
    tried.append(("ratio", {}, "events of each user at random: 80 % train, 10 % validate, 10 % test"))
    tried.append(
        ("ratio", {"by": "all"}, "events at random, as few users have three: 80 % train, 10 % validate, 10 % test")
    )
    last: DataError | None = None
    for name, options, reason in tried:
        try:
            splits = apply_split(dataset, SPLITS[name](dataset, **options), name)
        except DataError as error:
            last = error
            continue
        lost, users = splits.report["events_of_users_without_training"], len(np.unique(splits.test.user))
        held_out = len(splits.valid) + len(splits.test)
        if name in ("predefined", "ratio") or (users >= enough and lost <= held_out):
            return name, options, reason if timed or name == "predefined" else f"without times: {reason}", splits
    assert last is not None
    raise last


def _words(labels: pl.Series) -> dict[str, str] | None:
    """Options of ``predefined`` for the words of a split column; None if they are not those of a split."""
    options = {}
    for word in labels.cast(pl.String).unique().to_list():
        parts = {"train": TRAINING, "valid": VALIDATION, "test": TESTING}
        part = next((part for part, words in parts.items() if str(word).lower() in words), None)
        if part is None or part in options:
            return None
        options[part] = str(word)
    if not {"train", "test"} <= set(options):
        return None
    return {part: word for part, word in options.items() if part != word}


def propose_model(name: str, splits: Splits) -> tuple[dict[str, Any], str]:
    """Return the section ``model`` for a split, and the reason.

    ``transitions`` for the next item (``leave_last``); otherwise ``ease``, or ``bspm`` if the catalogue is too large for
    its dense matrix. All are fitted in seconds, without a loss.
    """
    n_items = splits.train.n_items
    if name == "leave_last":
        return {"name": "transitions"}, "predicts the next item from the latest ones"
    if n_items <= DENSE:
        return {"name": "ease"}, "similar items, in closed form"
    return {"name": "bspm"}, f"a graph filter, as the catalogue is large ({n_items:,} items)"


def propose_texts(splits: Splits) -> dict[str, Any] | None:
    """Return the section ``semantics`` if the item table has texts, from its columns of titles, categories and names."""
    if splits.items is None:
        return None
    items = splits.items
    texts = [column for column in items.columns[1:] if column.isidentifier() and _has_text(items[column])]
    last = {column: (TOKEN.findall(column) or [""])[-1].lower() for column in texts}  # movie_title: title
    chosen = sorted((column for column in texts if last[column] in TEXTS), key=lambda column: TEXTS.index(last[column]))
    if not chosen:
        return None
    template = ". ".join(f"{{{column}}}" for column in chosen)
    try:
        Tfidf().learn(item_texts(items, splits.vocabulary.items, template, quiet=True))
    except DataError:  # no word is in two texts
        return None
    return {"name": "tfidf", "template": template}


def _has_text(column: pl.Series) -> bool:
    if isinstance(column.dtype, pl.List):
        return column.dtype.inner == pl.String
    return column.dtype == pl.String and numbers_of(column.drop_nulls()) is None


def propose_cutoffs(splits: Splits) -> list[int]:
    """Return the cut-offs that the catalogue allows."""
    allowed = [cutoff for cutoff in CUTOFFS if cutoff <= splits.train.n_items]
    return allowed or [splits.train.n_items]

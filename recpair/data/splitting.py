"""Splitting of events into training, validation and test parts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from recpair.data.dataset import Dataset
from recpair.data.fingerprint import data_fingerprint, evaluation_fingerprint
from recpair.data.interactions import Interactions
from recpair.data.rolling import fold_of, rolling_folds
from recpair.data.threads import blocks_of_users, on_threads
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError

TRAIN, VALID, TEST = 0, 1, 2
AT_ONCE = 8  # blocks of users shuffled concurrently
FUTURE_LEAK = (
    "a {name} split trains on events that are later than other users' test events; "
    "split: {{name: temporal}} cuts at one time for all"
)

WHOLE = "whole"
ROLLING = "rolling"
COLD = "cold_items"
NOTHING_CHOOSES = "evaluate.monitor is null: the validation events train, and the last epoch's model is kept"
NOTHING_MEASURES = (
    "split.name is whole: every event trains, the last epoch's model is kept, and no test metrics are reported"
)


@dataclass(frozen=True, eq=False)
class Splits:
    """Train, valid and test over one vocabulary, that of the whole (filtered) data set.

    Attributes:
        test_fingerprint: hash of the test events and the masked items (before noise injection): the tests of runs
            with equal hashes are the same.
        noise: mask of injected training events, or None without noise.
        report: sizes of the parts, and numbers of events excluded from the evaluation.
        notes: warnings on the results.
    """

    train: Interactions
    valid: Interactions
    test: Interactions
    items: pl.DataFrame | None
    users: pl.DataFrame | None
    name: str
    test_fingerprint: str
    noise: np.ndarray | None = None
    report: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def vocabulary(self) -> Vocabulary:
        return self.train.vocabulary

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the events of each part and their ids, including injected noise: equal for equal data."""
        return data_fingerprint((self.train, self.valid, self.test), self.noise)


def ratio(
    dataset: Dataset,
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    by: Literal["user", "all"] = "user",
    order: Literal["random", "time"] = "random",
    seed: Annotated[int, Field(ge=0)] = 42,
) -> np.ndarray:
    """Labels (E,) by shares of each user's events, or of all events.

    The shares of the held-out parts are rounded down per user. A user with at least three events has at least one in
    each part whose fraction is above 0.

    Raises:
        ConfigError: the fractions are invalid, or order is "time" and there are no times.
    """
    check_fractions(fractions)
    events = dataset.interactions
    if order == "time":
        require_times(events, "split.order: time")
    generator = _generator(seed) if order == "random" else None
    if by == "user":
        return labels_by_user(events.indptr, generator, *_shares(np.diff(events.indptr), *fractions[1:]))
    key = events.time if generator is None else generator.random(len(events))
    assert key is not None
    n_valid, n_test = _shares(np.array([len(events)]), *fractions[1:])
    labels = np.empty(len(events), dtype=np.int8)
    labels[np.argsort(key, kind="stable")] = labels_by_user(np.array([0, len(events)]), None, n_valid, n_test)
    return labels


def leave_last(
    dataset: Dataset,
    *,
    n: Annotated[int, Field(ge=1)] = 1,
    valid_users: Annotated[float, Field(gt=0, le=1)] = 1.0,
    seed: Annotated[int, Field(ge=0)] = 42,
) -> np.ndarray:
    """Labels (E,): each user's last n events are test, the n before them valid.

    With ``valid_users`` below 1, only that share of the users, drawn at random with ``seed``, has a validation part;
    for other users, these events are in the training part, as are all events of users with fewer than 2n + 1.

    Raises:
        ConfigError: there are no times, which determine the last events.
    """
    events = dataset.interactions
    require_times(events, "split.name: leave_last")
    count = np.where(np.diff(events.indptr) >= 2 * n + 1, n, 0)
    validates = _generator(seed).random(len(count)) < valid_users
    return labels_by_user(events.indptr, None, np.where(validates, count, 0), count)


def temporal(
    dataset: Dataset,
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    valid_from: int | float | str | None = None,
    test_from: int | float | str | None = None,
) -> np.ndarray:
    """Labels (E,) by two cuts in time for all users: at given times, else by fractions.

    Raises:
        ConfigError: there are no times, or the cuts are out of order.
    """
    events = dataset.interactions
    require_times(events, "split.name: temporal")
    assert events.time is not None
    if (valid_from is None) != (test_from is None):
        raise ConfigError("split.valid_from and split.test_from must be given together")
    if valid_from is not None and test_from is not None:
        cuts = [events.clock.at(valid_from, "split.valid_from"), events.clock.at(test_from, "split.test_from")]
    else:
        check_fractions(fractions)
        train, valid, _ = fractions
        cuts = np.quantile(events.time, [train, train + valid], method="higher").tolist()
    if cuts[0] > cuts[1]:
        raise ConfigError(f"split.valid_from ({valid_from}) is later than split.test_from ({test_from})")
    return np.searchsorted(np.array(cuts), events.time, side="right").astype(np.int8)


def rolling(
    dataset: Dataset,
    *,
    horizon: int | float | str,
    folds: Annotated[int, Field(ge=2, le=1000)] = 5,
    window: int | float | str | None = None,
    end: int | float | str | None = None,
    fold: Annotated[int, Field(ge=1)] | None = None,
) -> np.ndarray:
    """Labels (E,) of one of several folds in time; 3 for events outside the fold (``data.rolling``).

    ``fit`` trains a run per fold if ``fold`` is None. Other events than those of a fold are left out before duplicates
    and cores are counted, so that a fold does not depend on later events.

    Args:
        horizon: length of the test window and of the validation window before it: 7d, or a number in the unit of the data.
        folds: number of test windows, one after the other.
        window: length of the training window; None: all earlier events.
        end: end of the last test window; None: just after the last event.
        fold: number of the fold, from 1 (the earliest).

    Raises:
        ConfigError: there are no times, or no fold is given.
        DataError: the times are too short for the folds.
    """
    events = dataset.interactions
    require_times(events, "split.name: rolling")
    assert events.time is not None
    found = rolling_folds(events.time, events.clock, folds=folds, horizon=horizon, window=window, end=end)
    return fold_of(found, fold).labels_of(events)


def predefined(
    dataset: Dataset,
    *,
    train: str = "train",
    valid: str = "valid",
    test: str = "test",
    valid_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    seed: Annotated[int, Field(ge=0)] = 42,
) -> np.ndarray:
    """Labels (E,) from the split column of the source (``split``, or ``data.columns.split``).

    If the column has no valid events, a random ``valid_fraction`` of each user's training events becomes
    valid.

    Raises:
        DataError: the column is missing, or contains another word.
    """
    if dataset.split is None:
        raise DataError(
            f"split.name is predefined, but {dataset.name} has no split column; name it in data.columns.split"
        )
    words = {train: TRAIN, valid: VALID, test: TEST}
    found = dataset.split.unique().cast(pl.String).fill_null("").to_list()
    if strange := sorted(set(found) - set(words)):
        raise DataError(
            f"the split column of {dataset.name} holds {strange[0]!r}; expected {', '.join(words)} "
            f"(other words: split.train, split.valid, split.test)"
        )
    labels = np.zeros(len(dataset.split), dtype=np.int8)
    for word, label in words.items():
        labels[(dataset.split == word).to_numpy()] = label
    if not (labels == VALID).any() and valid_fraction > 0:
        rows = np.flatnonzero(labels == TRAIN)
        indptr = dataset.interactions.select(rows).indptr
        shares = _shares(np.diff(indptr), valid_fraction, 0.0)
        labels[rows] = labels_by_user(indptr, _generator(seed), *shares)
    return labels


def whole(dataset: Dataset) -> np.ndarray:
    """Labels (E,): all events are train. For the final model, after choosing hyperparameters on other splits."""
    return np.full(len(dataset.interactions), TRAIN, dtype=np.int8)


def cold_items(
    dataset: Dataset,
    *,
    fractions: tuple[float, float, float] = (0.9, 0.05, 0.05),
    seed: Annotated[int, Field(ge=0)] = 42,
) -> np.ndarray:
    """Labels (E,) by shares of the items, drawn at random: all events of an item are in the same part.

    The validation and test items are different, so options chosen on the former are tested on items that no choice has
    seen. Every item has the same chance, whatever its popularity; the numbers of held-out items are rounded down.

    Raises:
        ConfigError: the fractions are invalid.
    """
    check_fractions(fractions)
    events = dataset.interactions
    items = np.flatnonzero(events.item_counts)
    n_valid, n_test = _shares(np.array([len(items)]), *fractions[1:])
    drawn = items[np.argsort(_generator(seed).random(len(items)), kind="stable")]
    of_item = np.empty(events.n_items, dtype=np.int8)
    of_item[drawn] = labels_by_user(np.array([0, len(items)]), None, n_valid, n_test)
    labels: np.ndarray = of_item[events.item]
    return labels


def apply_split(dataset: Dataset, labels: np.ndarray, name: str = "", *, validate: bool = True) -> Splits:
    """Return the three parts, without held-out events of users without training events, which are counted.

    Without ``validate`` the validation events are added to the training part, and the validation part is empty.
    With ``whole`` the test part is also empty.

    Items without training events stay in the catalogue: their held-out events count as misses.

    Raises:
        DataError: another part is empty.
    """
    events = dataset.interactions
    if not validate:
        labels = np.where(labels == VALID, TRAIN, labels)
    held_out = (labels == VALID) | (labels == TEST)
    trained_users, trained_items = np.zeros(events.n_users, dtype=bool), np.zeros(events.n_items, dtype=bool)
    trained_users[events.user[labels == TRAIN]] = True
    trained_items[events.item[labels == TRAIN]] = True
    lost = held_out & ~trained_users[events.user]
    parts = {
        part: events.select((labels == label) & ~lost)
        for part, label in (("train", TRAIN), ("valid", VALID), ("test", TEST))
    }
    may_be_empty = {part for part, empty in (("valid", not validate), ("test", name == WHOLE)) if empty}
    for part, chosen in parts.items():
        if len(chosen) == 0 and part not in may_be_empty:
            raise DataError(
                f"the split leaves no {part} events of {len(events):,} events of {events.n_users:,} users; "
                f"change split, or loosen filter"
            )
    report = {f"{part}_events": len(chosen) for part, chosen in parts.items()} | {
        "users_without_training": int((~trained_users).sum()),
        "events_of_users_without_training": int(lost.sum()),
        "items_without_training": int((~trained_items).sum()),
        "held_out_events_of_items_without_training": int((held_out & ~lost & ~trained_items[events.item]).sum()),
    }
    notes = [] if validate else [NOTHING_MEASURES if name == WHOLE else NOTHING_CHOOSES]
    if name in ("ratio", "leave_last", COLD) and events.time is not None:
        notes.append(FUTURE_LEAK.format(name=name))
    if report["events_of_users_without_training"]:
        notes.append(
            f"{report['events_of_users_without_training']:,} held-out events are of "
            f"{report['users_without_training']:,} users without training events and are left out of the evaluation"
        )
    if name == COLD:
        notes.append(
            f"{report['items_without_training']:,} items are held out of training; in the evaluation, they are new items, "
            f"with vectors or scores from their texts"
        )
    elif report["held_out_events_of_items_without_training"]:
        notes.append(
            f"{report['held_out_events_of_items_without_training']:,} held-out events are of items without a training "
            f"event; they count as misses"
        )
    return Splits(
        parts["train"],
        parts["valid"],
        parts["test"],
        items=dataset.items,
        users=dataset.users,
        name=dataset.name,
        test_fingerprint=evaluation_fingerprint(parts["test"], (parts["train"], parts["valid"])),
        report=report,
        notes=tuple(notes),
    )


def _generator(seed: int) -> np.random.Generator:
    """Return the generator of splits, independent of other generators with the same seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, 0x5B117]))


def labels_by_user(
    indptr: np.ndarray, generator: np.random.Generator | None, n_valid: np.ndarray, n_test: np.ndarray
) -> np.ndarray:
    """Labels int8 (E,): each user's last n_test (U,) events are test, the n_valid (U,) before them valid, others train.

    Args:
        indptr: (U + 1,), the events of each user.
        generator: draws a sort key in [0, 1) for each event; None keeps the given order.
    """
    from recpair.data import kernels  # Numba is slow to import

    sizes = np.stack([np.diff(indptr) - n_valid - n_test, n_valid, n_test], axis=1)
    labels = np.repeat(np.tile(np.array([TRAIN, VALID, TEST], dtype=np.int8), len(sizes)), sizes.flatten())
    if generator is None:
        return labels

    def shuffle(first: int, end: int, key: np.ndarray) -> None:
        rows = np.arange(len(key), dtype=np.int32)
        # Non-negative floats sort like their bits. The items of the kernel are unused.
        kernels.sort_segments(indptr[first : end + 1] - indptr[first], key.view(np.int64), rows.copy(), rows)
        block = labels[indptr[first] : indptr[end]]
        block[rows] = block.copy()

    blocks = blocks_of_users(indptr)
    for place in range(0, len(blocks), AT_ONCE):  # keys are drawn in the order of the events
        tasks = [
            partial(shuffle, first, end, generator.random(indptr[end] - indptr[first]))
            for first, end in blocks[place : place + AT_ONCE]
        ]
        on_threads(tasks, len(labels))
    return labels


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Raise a ConfigError unless the fractions are three shares that add up to 1, the first above 0."""
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or fractions[0] == 0:
        raise ConfigError(f"split.fractions {list(fractions)} must be three shares that add up to 1, the first above 0")


def require_times(events: Interactions, key: str) -> None:
    """Raise a ConfigError unless the events have times, which the option ``key`` requires."""
    if events.time is None:
        raise ConfigError(f"{key} needs a time column, and the data has none; map it with data.columns.time")


def _shares(size: np.ndarray, valid: float, test: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of valid and test events among ``size`` events: the fractions, rounded down.

    For three or more events, each part with a fraction above 0, including training, gets at least one. If training
    would get none, the larger of the other parts is reduced by one.
    """
    n_valid, n_test = (
        np.where((size >= 3) & (fraction > 0), np.maximum(counts, 1), counts)
        for fraction in (valid, test)
        for counts in [np.floor(size * fraction + 1e-9).astype(np.int64)]  # tolerance for binary fractions
    )
    missing = np.where(size >= 3, np.maximum(n_valid + n_test - size + 1, 0), 0)
    return n_valid - np.where(n_valid > n_test, missing, 0), n_test - np.where(n_valid > n_test, 0, missing)


SPLITS: dict[str, Callable[..., np.ndarray]] = {
    COLD: cold_items,
    "leave_last": leave_last,
    "predefined": predefined,
    "ratio": ratio,
    ROLLING: rolling,
    "temporal": temporal,
    WHOLE: whole,
}

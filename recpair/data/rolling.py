"""Rolling folds in time: test windows of equal length, one after the other; earlier events train."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from recpair.data.interactions import Interactions
from recpair.data.times import NUMBER, Clock
from recpair.errors import ConfigError, DataError, shown

DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*")
SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
EXPECTED = "a duration such as 7d (units s, min, h, d, w), or a number in the unit of the times"
LARGEST = 1e18
PARTS = ("train", "valid", "test")
OUTSIDE = 3  # label of events before the training window, or after the test window


@dataclass(frozen=True)
class Fold:
    """Windows of one fold, [start, end) in ticks of the clock: training, then validation, then test.

    Attributes:
        number, of: number of the fold, from 1 (the earliest), and number of folds.
        train_from: start of the training window; None if all earlier events train.
        events: number of events in the three windows.
    """

    number: int
    of: int
    train_from: int | None
    valid_from: int
    test_from: int
    end: int
    events: tuple[int, int, int]
    clock: Clock

    def labels(self, time: np.ndarray) -> np.ndarray:
        """Labels int8 (E,) of events at the given times: 0 train, 1 valid, 2 test, 3 outside the fold."""
        labels = np.searchsorted([self.valid_from, self.test_from, self.end], time, side="right").astype(np.int8)
        if self.train_from is not None:
            labels[time < self.train_from] = OUTSIDE
        return labels

    def labels_of(self, events: Interactions) -> np.ndarray:
        """Labels of events, which have times."""
        assert events.time is not None
        return self.labels(events.time)

    def moments(self) -> dict[str, str | None]:
        """Borders of the windows as text: dates (UTC), or numbers in the unit of the data."""
        borders = {"train_from": self.train_from, "valid_from": self.valid_from, "test_from": self.test_from}
        return {
            name: None if at is None else moment(self.clock, at) for name, at in (borders | {"end": self.end}).items()
        }

    def __str__(self) -> str:
        at = self.moments()
        train = f"before {at['valid_from']}" if self.train_from is None else f"{at['train_from']} … {at['valid_from']}"
        return (
            f"fold {self.number} of {self.of}: training {train}, validation up to {at['test_from']}, test up to "
            f"{at['end']} (ends excluded)"
        )

    def require_events(self, *, validate: bool) -> None:
        """Raise a DataError if a window has no events; the validation window may be empty without ``validate``."""
        starts = (self.train_from, self.valid_from, self.test_from)
        ends = (self.valid_from, self.test_from, self.end)
        for part, start, end, count in zip(PARTS, starts, ends, self.events, strict=True):
            if count == 0 and (validate or part != "valid"):
                since = "" if start is None else f"from {moment(self.clock, start)} "
                raise DataError(
                    f"fold {self.number} of {self.of} has no {part} events: there are none {since}up to "
                    f"{moment(self.clock, end)}; change split.horizon, split.folds, split.window or split.end"
                )


def rolling_folds(
    time: np.ndarray,
    clock: Clock,
    *,
    folds: int,
    horizon: int | float | str,
    window: int | float | str | None = None,
    end: int | float | str | None = None,
) -> list[Fold]:
    """Return F folds of events at the given times (E,), the earliest first.

    Fold f of F tests on [end − (F − f + 1) · horizon, end − (F − f) · horizon), validates on the horizon before it, and
    trains on all earlier events, or on those of the ``window`` before the validation. Events at the same time are in the
    same part.

    Args:
        end: end of the last test window; None: just after the last event.

    Raises:
        ConfigError: a duration or ``end`` is invalid.
        DataError: the times are too short for the folds, or their unit is unknown.
    """
    first, last = int(time.min()), int(time.max())
    step = ticks_of(horizon, clock, "split.horizon")
    length = None if window is None else ticks_of(window, clock, "split.window")
    stop = last + 1 if end is None else clock.at(end, "split.end")
    if stop <= first or stop - step > last:
        raise DataError(
            f"split.end is {end}, but the times are {moment(clock, first)} … {moment(clock, last)}; expected an end within "
            f"them, or at most {horizon} (split.horizon) after the last"
        )
    last = min(last, stop - 1)
    most = max((stop - first - 1) // step - 1, 0)
    if folds > most:
        raise DataError(
            f"split.folds is {folds}, but the times ({moment(clock, first)} … {moment(clock, last)}, "
            f"{_length(clock, last - first)}) have room for {most} folds with a horizon of {horizon}: a fold needs a test "
            f"and a validation window and earlier events; lower split.folds or split.horizon"
        )
    edges = [stop - k * step for k in range(folds + 1, -1, -1)]
    counts = np.bincount(np.searchsorted(edges, time, side="right"), minlength=len(edges) + 1)
    found = []
    for f in range(1, folds + 1):
        valid_from, test_from, until = edges[f - 1 : f + 2]
        start = None if length is None else valid_from - length
        trains = counts[:f].sum() if start is None else ((time >= start) & (time < valid_from)).sum()
        events = (int(trains), int(counts[f]), int(counts[f + 1]))
        found.append(Fold(f, folds, start, valid_from, test_from, until, events, clock))
    return found


def check_duration(value: object, key: str) -> Fraction:
    """Return the amount of a duration, in its unit.

    Raises:
        ConfigError: the value is neither a positive duration such as 7d nor a positive number.
    """
    text = str(value).strip()
    matched = DURATION.fullmatch(text)
    if matched is None and not re.match(NUMBER, text):
        raise ConfigError(f"{key} is {shown(value)}; expected {EXPECTED}")
    number = text if matched is None else matched[1]
    if not 0 < float(number) < LARGEST:
        raise ConfigError(f"{key} is {shown(value)}; expected {EXPECTED}, above 0 and below {LARGEST:g}")
    return Fraction(number)


def ticks_of(value: int | float | str, clock: Clock, key: str) -> int:
    """Return a duration in ticks; a number without a unit is in the unit of the times in the source.

    Raises:
        ConfigError: the duration is invalid, or not a multiple of the resolution of the times.
        DataError: the duration has a unit, but that of the times is unknown.
    """
    amount, matched = check_duration(value, key), DURATION.fullmatch(str(value))
    if matched is None and clock.form is not None:
        raise ConfigError(
            f"{key} is {shown(value)}, but the times are dates written as {clock.form}; give a unit, as in 7d"
        )
    if matched is not None and clock.per_second is None:
        raise DataError(
            f"{key} is {shown(value)}, but the unit of the times is unknown; set data.time_unit (s, ms, us or ns), or give "
            f"a number in the unit of the times"
        )
    scale = clock.per_value if matched is None else SECONDS[matched[2]] * (clock.per_second or 1)
    if (amount * scale).denominator != 1:
        tick = Fraction(1, clock.per_value if clock.per_second is None else clock.per_second)
        unit = "" if clock.per_second is None else " s"
        raise ConfigError(
            f"{key} is {shown(value)}; expected a multiple of the resolution of the times, {float(tick):g}{unit}"
        )
    return int(amount * scale)


def moment(clock: Clock, tick: int) -> str:
    """Format a tick as a date (UTC), with the time of day unless it is midnight; a number if the unit is unknown."""
    if clock.per_second is None or tick % (86_400 * clock.per_second) == 0:
        return clock.shown(tick)
    return str(np.datetime64(tick // clock.per_second, "s")).replace("T", " ")


def _length(clock: Clock, ticks: int) -> str:
    """Format a number of ticks in days, or in the unit of the data."""
    if clock.per_second is None:
        return f"{ticks / clock.per_value:g}"
    return f"{ticks / (86_400 * clock.per_second):.3g} days"


def fold_of(folds: Sequence[Fold], fold: int | None) -> Fold:
    """Return one of the folds by its number.

    Raises:
        ConfigError: the number is missing or above the number of folds.
    """
    if fold is None:
        raise ConfigError(
            f"split.name is rolling, with {len(folds)} folds; choose one of them, as in split.fold={len(folds)}"
        )
    if fold > len(folds):
        raise ConfigError(
            f"split.fold is {fold}, but split.folds is {len(folds)}; expected a number from 1 to {len(folds)}"
        )
    return folds[fold - 1]

"""Times as int64 that preserve all differences of their source, and their unit."""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl

from recpair.data.dates import DAY_FIRST, MONTH_FIRST, read_dates
from recpair.errors import ConfigError, DataError

TimeUnit = Literal["s", "ms", "us", "ns", "order"]
PER_SECOND: dict[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
PLAUSIBLE = (631_152_000, 4_102_444_800)  # 1990 to 2100 in seconds
CALENDAR = {8: "yyyymmdd", 12: "yyyymmddhhmm", 14: "yyyymmddhhmmss"}
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
DECIMAL = r"^-?\d{1,18}(\.\d{1,18})?$"
LARGEST = 2**63 - 1
EXAMPLE = "a number or a date such as 2014-05-01"


@dataclass(frozen=True)
class Clock:
    """Unit of int64 times.

    Attributes:
        per_second: ticks per second since 1970, or None if the unit is unknown and only the order is used.
        per_value: ticks per unit of the source, which is also the unit of numeric bounds (for dates: seconds).
        form: strptime format of numbers written as dates (20140501), also used for numeric bounds.
    """

    per_second: int | None = None
    per_value: int = 1
    form: str | None = None

    def at(self, bound: float | str, key: str) -> int:
        """Return the first tick at or after a bound: a number in the unit of the source, or a date (UTC).

        Raises:
            ConfigError: the text is neither a number nor a date.
            DataError: the bound is a date, but the unit of the times is unknown.
        """
        if isinstance(bound, str) and re.match(NUMBER, bound.strip()):
            bound = float(bound) if re.search(r"[.eE]", bound) else int(bound)
        if isinstance(bound, int) and self.form is not None:
            date = pl.Series([str(bound)]).str.to_datetime(self.form, strict=False, time_unit="us")
            if date.has_nulls():
                raise ConfigError(
                    f"{key} is {bound}; expected a date, or a number written as {self.form} like the times"
                )
            return _int64(date.dt.epoch("us").item() * (self.per_second or 1) // 10**6)
        if isinstance(bound, int):
            return _int64(bound * self.per_value)
        if isinstance(bound, float):
            if not math.isfinite(bound):
                raise ConfigError(f"{key} is {bound}; expected {EXAMPLE}")
            return _int64(math.ceil(bound * self.per_value))
        text = f"{bound.strip()}-01" if re.match(r"^\d{4}-\d{2}$", bound.strip()) else bound.strip()
        dates = read_dates(pl.Series([text]))
        if dates.style != "year-month-day" or dates.seconds.has_nulls():
            raise ConfigError(f"{key} is {bound!r}; expected {EXAMPLE}")
        if self.per_second is None:
            raise DataError(
                f"{key} is the date {bound}, but the unit of the times is unknown; set data.time_unit (s, ms, us or ns), "
                f"or give a number"
            )
        nanoseconds = 0 if dates.nanoseconds is None else int(dates.nanoseconds[0])
        return _int64(int(dates.seconds[0]) * self.per_second - (-nanoseconds * self.per_second // 10**9))

    def per_day(self, key: str) -> int:
        """Return the ticks of a day, which the option ``key`` counts.

        Raises:
            DataError: the unit of the times is unknown.
        """
        if self.per_second is None:
            raise DataError(
                f"{key} counts days, but the unit of the times is unknown; set data.time_unit (s, ms, us or ns)"
            )
        return 86_400 * self.per_second

    def shown(self, tick: int) -> str:
        """Format a tick as a day (UTC), or as the number of the source if the unit is unknown."""
        if self.per_second is not None:
            return str(np.datetime64(tick // self.per_second, "s").astype("datetime64[D]"))
        return str(tick) if self.per_value == 1 else f"{tick / self.per_value:g}"


UNKNOWN = Clock()


@dataclass(frozen=True)
class Times:
    """A column of times: Int64 ticks (null if missing), their clock, and a note on their interpretation."""

    ticks: pl.Series
    clock: Clock
    note: str | None


@dataclass(frozen=True)
class BadTime(Exception):
    """A value that cannot be read: its row and the expected form."""

    row: int
    expected: str


def read_times(column: pl.Series, unit: TimeUnit | None = None, form: str | None = None) -> Times:
    """Read times of any type: numbers, dates, or either as text.

    The unit of numbers (s, ms, us, ns since 1970) is detected: all values must lie between 1990 and 2100; otherwise
    only their order is used. Whole numbers are unchanged; fractions are preserved by a finer unit (ms, us or ns if the
    unit is known).

    Args:
        unit: the unit of numbers, instead of detecting it; ``order`` for positions.
        form: strptime format of dates.

    Raises:
        BadTime: a value is not of the same kind as the others.
        ConfigError: unit or form does not match the column.
    """
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum, pl.Null):
        column, kind = column.cast(pl.String), pl.String()
    if form is not None:
        return _formatted(column, form)
    if kind in (pl.Date, pl.Datetime):
        _refuse_unit(unit, "dates")
        times, clock = _of_datetimes(column)
        return Times(times, clock, None)
    if kind.is_float():
        column = column.fill_nan(None)
    if kind == pl.String:
        column = column.str.strip_chars().replace("", None)
        first = column.drop_nulls().head(1)
        if len(first) and not first.str.contains(NUMBER).all():
            _refuse_unit(unit, "dates")
            return _of_text(column)
    elif not kind.is_numeric():
        raise BadTime(0, "")
    return _of_numbers(column, unit)


def _of_numbers(column: pl.Series, unit: TimeUnit | None) -> Times:
    ticks, per_value = _ticks(column)
    low, high = ticks.min(), ticks.max()
    if low is None or high is None:
        return Times(ticks, UNKNOWN, None)
    assert isinstance(low, int)
    assert isinstance(high, int)
    if unit is None and per_value == 1 and (form := _calendar(ticks, low, high)):
        return _formatted(ticks.cast(pl.String), {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[form])
    found = unit or _unit(low / per_value, high / per_value)
    if found is None or found == "order":
        clock = Clock(None, per_value)
        todo = "" if unit else "; if they are times, set data.time_unit"
        return Times(ticks, clock, f"numbers of unknown unit ({_span(clock, low, high)}): only the order counts{todo}")
    while per_value > 1 and round(math.log10(per_value)) % 3 and max(abs(low), abs(high)) * 10 <= LARGEST:
        ticks, low, high, per_value = ticks * 10, low * 10, high * 10, per_value * 10  # up to ms, us or ns
    clock = Clock(PER_SECOND[found] * per_value, per_value)
    coarse = ", as 32-bit floats, which are steps of many seconds" if column.dtype == pl.Float32 else ""
    return Times(ticks, clock, f"{NAMES[found]} since 1970{coarse} ({_span(clock, low, high)})")


def _unit(low: float, high: float) -> TimeUnit | None:
    """Return the unit in which both bounds lie between 1990 and 2100, or None."""
    for name in get_args(TimeUnit):
        if name in PER_SECOND and PLAUSIBLE[0] <= low / PER_SECOND[name] and high / PER_SECOND[name] < PLAUSIBLE[1]:
            unit: TimeUnit = name
            return unit
    return None


def _calendar(ticks: pl.Series, low: int, high: int) -> int | None:
    """Return the number of digits if all numbers are dates such as 20140501, else None."""
    for digits in CALENDAR:
        day = 10 ** (digits - 8)
        if 19700101 * day <= low and high < 21010101 * day:
            values = ticks.drop_nulls().to_numpy()
            date, time = values // day, values % day * 10 ** (14 - digits)
            month, monthday, hour, minute = date // 100 % 100, date % 100, time // 10_000, time // 100 % 100
            right = (month >= 1) & (month <= 12) & (monthday >= 1) & (monthday <= 31)
            if (right & (hour < 24) & (minute < 60) & (time % 100 < 60)).all():
                return digits
    return None


def _ticks(column: pl.Series) -> tuple[pl.Series, int]:
    """Convert numbers to Int64 counts of a decimal fraction of their unit; return also the counts per unit."""
    if column.dtype.is_decimal():
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        integers = column.cast(pl.Int64, strict=False)
        if integers.null_count() == column.null_count():
            return integers, 1
        if column.str.contains(DECIMAL).all():
            return _of_decimals(column)
        _require(column.str.contains(NUMBER), column, "a number like the others")
        column = column.cast(pl.Float64)
    if column.dtype.is_integer():
        integers = column.cast(pl.Int64, strict=False)
        _require(integers.is_not_null(), column, "a number of at most 64 bits")
        return integers, 1
    return _of_floats(column.cast(pl.Float64))


def _of_decimals(text: pl.Series) -> tuple[pl.Series, int]:
    """Convert decimals exactly from their digits, as far as they fit 64 bits."""
    fraction = text.str.extract(r"\.(\d+?)0*$").fill_null("").replace("0", "")
    whole = text.str.extract(r"^(-?\d+)")
    places, largest = _largest(fraction.str.len_chars()), _largest(whole.cast(pl.Int64).abs())
    while places and (largest + 1) * 10**places > LARGEST:
        places -= 1
    digits = pl.select(whole + fraction.str.pad_end(places, "0").str.head(places)).to_series()
    return digits.cast(pl.Int64), 10**places


def _of_floats(column: pl.Series) -> tuple[pl.Series, int]:
    """Convert floats with the fewest decimal places that preserve all values, at most as many as fit 64 bits."""
    _require(column.is_finite() & (column.abs() < LARGEST), column, "a finite number of at most 64 bits")
    values = column.fill_null(0.0).to_numpy()
    largest = float(np.abs(values).max(initial=0.0))
    scale = 1
    while (np.round(values * scale) / scale != values).any() and largest * scale * 10 < LARGEST and scale < 10**18:
        scale *= 10
    counts = pl.Series(np.round(values * scale).astype(np.int64))
    return counts.zip_with(column.is_not_null(), pl.Series([None], dtype=pl.Int64)), scale


def _largest(counts: pl.Series) -> int:
    found = counts.max()
    return found if isinstance(found, int) else 0


def _of_datetimes(column: pl.Series) -> tuple[pl.Series, Clock]:
    if column.dtype == pl.Date:
        return column.cast(pl.Int64) * 86_400, Clock(1)
    unit = column.dtype.time_unit  # type: ignore[attr-defined]
    return _coarsest(column.to_physical(), PER_SECOND[unit])


def _coarsest(ticks: pl.Series, per_second: int) -> tuple[pl.Series, Clock]:
    """Convert times to the largest unit of s, ms, us and ns that divides all of them."""
    while per_second > 1 and (ticks % 1000 == 0).all():
        ticks, per_second = ticks // 1000, per_second // 1000
    return ticks, Clock(per_second, per_second)


def _of_text(column: pl.Series) -> Times:
    dates = read_dates(column)
    if not dates.style:
        raise BadTime(_first(column.is_not_null()), f"{EXAMPLE}; for another style set data.time_format")
    example = column.drop_nulls()[0]
    if dates.ambiguous:
        raise BadTime(
            _first(column.is_not_null()),
            "a date that shows whether the day or the month is first, but no day of the column is above 12; "
            "set data.time_format, such as '%d/%m/%Y' or '%m/%d/%Y'",
        )
    style = f"a date as {dates.style}" if dates.style in (DAY_FIRST, MONTH_FIRST) else f"a date like {example!r}"
    _require(dates.seconds.is_not_null(), column, style)
    zoned = dates.zoned.filter(column.is_not_null())
    if zoned.any() and not zoned.all():
        raise BadTime(_first(~dates.zoned & column.is_not_null()), "a time zone, as other values have one")
    ticks, clock = dates.seconds, Clock(1)
    if dates.nanoseconds is not None:
        coarse = (dates.nanoseconds % 1000 == 0).all()
        per_second = 10**6 if coarse else 10**9
        _require(dates.seconds.abs() < LARGEST // per_second, column, "a year between 1678 and 2261 for nanoseconds")
        ticks, clock = _coarsest(dates.seconds * per_second + dates.nanoseconds // (10**9 // per_second), per_second)
    return _as_dates(ticks, clock, dates.style, "" if zoned.all() else "in UTC, as they name no time zone")


def _formatted(column: pl.Series, form: str) -> Times:
    """Read dates of the format ``form``."""
    if column.dtype.is_temporal():
        raise ConfigError(f"data.time_format is {form!r}, but the times are dates already; drop it")
    text = column.cast(pl.String)
    fine = re.search(r"%[369.]*f|%\.?N", form) is not None
    try:
        parsed = text.str.to_datetime(form, strict=False, time_unit="us")
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"data.time_format is {form!r}: {' '.join(str(error).split())[:120]}") from None
    _require(parsed.is_not_null(), text, f"a date written as {form}")
    if fine:
        year = parsed.dt.year()
        _require((year > 1677) & (year < 2262), text, "a year between 1678 and 2261")
        parsed = text.str.to_datetime(form, strict=False, time_unit="ns")
    ticks, clock = _of_datetimes(parsed)
    numeric = column.dtype.is_numeric() or bool(text.drop_nulls().head(1).str.contains(NUMBER).any())
    return _as_dates(ticks, replace(clock, form=form) if numeric else clock, form, "")


def _as_dates(ticks: pl.Series, clock: Clock, style: str, zone: str) -> Times:
    low, high = ticks.min(), ticks.max()
    if low is None or high is None:
        return Times(ticks, clock, None)
    assert isinstance(low, int)
    assert isinstance(high, int)
    words = ", ".join(part for part in (f"dates written as {style}", zone) if part)
    return Times(ticks, clock, f"{words} ({_span(clock, low, high)})")


def _int64(tick: int) -> int:
    """Clip to 64 bits, which preserves all comparisons with times."""
    return max(-LARGEST - 1, min(LARGEST, tick))


def _span(clock: Clock, low: int, high: int) -> str:
    return f"{clock.shown(low)} … {clock.shown(high)}"


def _require(right: pl.Series, values: pl.Series, expected: str) -> None:
    """Raise a BadTime for the first value that is present but not ``right``."""
    bad = ~right.fill_null(value=False) & values.is_not_null()
    if bad.any():
        raise BadTime(_first(bad), expected)


def _first(mask: pl.Series) -> int:
    return int(mask.arg_max() or 0)


def _refuse_unit(unit: TimeUnit | None, kind: str) -> None:
    if unit is not None:
        raise ConfigError(f"data.time_unit is {unit}, but the times are {kind}, not numbers; drop it")

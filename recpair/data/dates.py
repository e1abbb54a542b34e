"""Dates as text, with one style per column, detected from its values."""

from dataclasses import dataclass

import polars as pl

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?P<name>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
ZONE = r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
TAIL = rf"(?:(?:[T:]|,?\s+){CLOCK}(?:{ZONE})?)?"
NUMERIC = "numeric"
STYLES = {
    "year-month-day": rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){TAIL}$",
    NUMERIC: rf"^(?P<first>\d{{1,2}})[-/.](?P<other>\d{{1,2}})[-/.](?P<year>\d{{4}}){TAIL}$",
    "day month year": rf"^{WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/ ]\s*{MONTH}[-/ ,]\s*(?P<year>\d{{4}}){TAIL}$",
    "month day, year": rf"^{WEEKDAY}{MONTH}[-/ ]\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/ ,]\s*(?P<year>\d{{4}}){TAIL}$",
    "year month day": rf"^(?P<year>\d{{4}})[-/ ]{MONTH}[-/ ](?P<day>\d{{1,2}}){TAIL}$",
    "weekday month day time year": rf"^{WEEKDAY}{MONTH}\s+(?P<day>\d{{1,2}})\s+{CLOCK}(?:{ZONE})?\s+(?P<year>\d{{4}})$",
    "yyyymmddThhmmss": (
        r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[T ](?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
        rf"(?:[.,](?P<fraction>\d{{1,9}}))?(?:{ZONE})?$"
    ),
}
PLAIN = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")  # much faster to read
FRACTION = "%.f"  # after the seconds; used with PLAIN if no value is finer than microseconds
LONGEST = len("2024-01-01 10:00:00.123456")
DAY_FIRST, MONTH_FIRST = "day/month/year", "month/day/year"


@dataclass(frozen=True)
class Dates:
    """Dates read from text.

    Attributes:
        seconds: Int64 since 1970, UTC; null if the text is null or not a date of the style.
        nanoseconds: Int64 within the second, or None if no date has a fraction.
        style: description of the style, or "" if the style of the first text is unknown.
        zoned: mask of the dates with a time zone.
        ambiguous: True if the order of day and month cannot be determined.
    """

    seconds: pl.Series
    nanoseconds: pl.Series | None
    style: str
    zoned: pl.Series
    ambiguous: bool = False


def read_dates(text: pl.Series) -> Dates:
    """Read a column of text as dates in the style of its first value; dates without a time zone are UTC.

    The styles are year-month-day (ISO 8601, with - / or .), day/month/year, month/day/year, dates with the name of
    the month, and yyyymmddThhmmss; each with or without a time of day, AM or PM, fractions of a second down to
    nanoseconds, and Z, UTC, GMT or an offset such as +02:00. The order of day and month is detected from all values.
    """
    known = text.drop_nulls()
    for form in PLAIN:
        for form_ in (form, form.replace("%S", f"%S{FRACTION}")):
            if (found := _plain(text, known, form_)) is not None:
                return found
    for style, pattern in STYLES.items():
        if len(known) and known.head(1).str.contains(pattern).all():
            return _read(text, style, pattern)
    nothing = pl.repeat(None, len(text), dtype=pl.Int64, eager=True)
    return Dates(nothing, None, "", nothing.is_not_null())


def _plain(text: pl.Series, known: pl.Series, form: str) -> Dates | None:
    if len(known) == 0 or known.head(1).str.to_datetime(form, strict=False).has_nulls():
        return None
    fractions, utc = FRACTION in form, form.endswith("Z")
    if fractions and (known.str.len_bytes() > LONGEST + utc).any():
        return None
    parsed = text.str.to_datetime(form, strict=False, time_unit="us")
    if parsed.null_count() > text.null_count():
        return None
    zoned = pl.repeat(utc, len(text), eager=True)
    seconds = parsed.dt.epoch("us") // 10**6
    nanoseconds = parsed.dt.epoch("us") % 10**6 * 1000 if fractions else None
    return Dates(seconds, nanoseconds, "year-month-day", zoned)


def _read(text: pl.Series, style: str, pattern: str) -> Dates:
    parts = text.str.extract_groups(pattern).struct.unnest()
    ambiguous = False
    if style == NUMERIC:
        first, other = (parts[name].cast(pl.Int8) for name in ("first", "other"))
        day_first = bool((first > 12).any())
        ambiguous = not day_first and not (other > 12).any()
        style = DAY_FIRST if day_first else MONTH_FIRST
        parts = parts.rename({"first": "day", "other": "month"} if day_first else {"first": "month", "other": "day"})
    if "name" in parts.columns:
        short = pl.col("name").str.to_lowercase().str.head(3)
        parts = parts.with_columns(month=short.replace_strict(MONTHS, range(1, 13), return_dtype=pl.Int8))
    hour = pl.col("hour").cast(pl.Int16).fill_null(0)
    if "half" in parts.columns:
        afternoon = pl.col("half").str.to_lowercase() == "p"
        twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + 12 * afternoon.cast(pl.Int16)).otherwise(99)
        hour = pl.when(pl.col("half").is_null()).then(hour).otherwise(twelve)
    at = pl.concat_str(
        pl.col("year"),
        *(pl.col(name).cast(pl.String).str.zfill(2) for name in ("month", "day")),
        hour.cast(pl.String).str.zfill(2),
        *(pl.col(name).fill_null("00") for name in ("minute", "second")),
        separator=" ",
    )
    seconds = at.str.to_datetime("%Y %m %d %H %M %S", strict=False, time_unit="us").dt.epoch("s")
    offset = _offset(pl.col("zone"))
    nanoseconds = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    found = parts.select(
        seconds=seconds - offset, nanoseconds=nanoseconds, zoned=pl.col("zone").is_not_null(), has=pl.col("fraction")
    )
    fractions = found["has"].null_count() < len(text)
    return Dates(found["seconds"], found["nanoseconds"] if fractions else None, style, found["zoned"], ambiguous)


def _offset(zone: pl.Expr) -> pl.Expr:
    """Offset east of UTC in seconds."""
    digits = zone.str.replace(":", "", literal=True)
    hours = digits.str.extract(r"^[+-](\d\d)").cast(pl.Int64)
    minutes = digits.str.extract(r"^[+-]\d\d(\d\d)$").cast(pl.Int64).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    return (sign * (3600 * hours + 60 * minutes)).fill_null(0)

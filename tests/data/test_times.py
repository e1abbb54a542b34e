"""Times keep every difference of their source; their unit and style are found from the whole column, or asked for."""

import datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recpair.data.dataset import Dataset
from recpair.data.events import events_from
from recpair.data.filtering import filter_events
from recpair.data.interactions import Interactions
from recpair.data.splitting import TEST, leave_last, temporal
from recpair.data.times import BadTime, Clock, read_times
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError

JANUARY = 1_704_067_200  # 2024-01-01
DATES = [datetime.datetime(2024, 1, 31), datetime.datetime(2024, 2, 1, 13, 5, 9), datetime.datetime(2024, 3, 1)]


def seconds(values, **options) -> list[float | None]:
    times = read_times(values if isinstance(values, pl.Series) else pl.Series(values), **options)
    return [None if tick is None else tick / times.clock.per_second for tick in times.ticks.to_list()]


def events(times, **options):
    n = len(times)
    frame = pl.DataFrame({"user_id": [1] * n, "item_id": list(range(n)), "timestamp": times})
    return events_from(frame, **options)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S UTC",
        "%Y-%m-%d %H:%M:%S.000000",
        "%Y/%m/%d %H:%M:%S",
        "%Y%m%dT%H%M%S",
        "%Y%m%d%H%M%S",
        "%d/%m/%Y %H:%M:%S",
        "%m/%d/%Y %I:%M:%S %p",
        "%d.%m.%Y %H:%M:%S",
        "%b %d, %Y %H:%M:%S",
        "%B %d %Y, %I:%M:%S %p",
        "%d %b %Y %H:%M:%S",
        "%d-%b-%Y %H:%M:%S",
        "%a, %d %b %Y %H:%M:%S GMT",
        "%a %b %d %H:%M:%S +0000 %Y",
        "%d/%b/%Y:%H:%M:%S +0000",
    ],
)
def test_dates_of_every_style_are_the_ones_that_were_written(form):
    """The strings come from strftime."""
    expected = [date.replace(tzinfo=datetime.UTC).timestamp() for date in DATES]
    assert seconds([date.strftime(form) for date in DATES]) == expected


@given(
    st.lists(
        st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2090, 1, 1)), min_size=1, max_size=6, unique=True
    )
)
def test_dates_keep_their_microseconds_in_every_type(dates):
    epoch = datetime.datetime(1970, 1, 1)
    micro = [(date - epoch) // datetime.timedelta(microseconds=1) for date in dates]
    for column in (
        pl.Series(dates),
        pl.Series(dates).cast(pl.Datetime("ns")),
        pl.Series(dates).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([date.isoformat() for date in dates]),
        pl.Series([date.isoformat(" ") + "+05:30" for date in dates]),
    ):
        times = read_times(column)
        shift = 5.5 * 3600 * 10**6 if column.dtype == pl.String and "+" in column[0] else 0
        assert [tick * 10**6 // times.clock.per_second + shift for tick in times.ticks.to_list()] == micro


@given(st.lists(st.integers(0, 2**53), min_size=1, max_size=8), st.integers(0, 9))
def test_fractions_keep_their_order_and_are_exact(numbers, places):
    """As floats of few digits, as text and as decimals of any; whole numbers of eight digits may be dates, as 19771101."""
    assume(places > 0 or not all(10**7 <= number < 10**8 for number in numbers))
    exact = [Decimal(number) / 10**places for number in numbers]
    for column in (pl.Series([format(value, "f") for value in exact]), pl.Series(exact, dtype=pl.Decimal(38, places))):
        times = read_times(column)
        if times.clock.per_second is None or times.clock.per_value == times.clock.per_second:
            assert [Decimal(tick) / times.clock.per_value for tick in times.ticks.to_list()] == exact
    floats = [number / 10**places for number in numbers]
    ticks = read_times(pl.Series(floats)).ticks.to_numpy()
    assert (np.argsort(ticks, kind="stable") == np.argsort(floats, kind="stable")).all()
    assert len(set(ticks.tolist())) == len(set(floats))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("form", [int, str, float])
def test_the_unit_is_found_from_the_whole_column(unit, form):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    column = [form((JANUARY + day * 86_400) * per_second) for day in range(3)]
    assert seconds(column) == [JANUARY, JANUARY + 86_400, JANUARY + 2 * 86_400]
    assert "since 1970 (2024-01-01 … 2024-01-03)" in read_times(pl.Series(column)).note


def test_numbers_of_no_known_unit_are_positions():
    for column in ([0, 1, 2], [0, JANUARY], [0.1, 0.7], [20240132, 20240133]):
        times = read_times(pl.Series(column))
        assert times.clock.per_second is None
        assert "only the order counts" in times.note
        assert times.ticks.is_sorted()
    assert seconds([0, 86_400], unit="s") == [0, 86_400]
    assert read_times(pl.Series([JANUARY]), "order").clock.per_second is None


def test_numbers_that_are_written_as_dates_are_dates():
    assert seconds([20240101, 20240103]) == [JANUARY, JANUARY + 2 * 86_400]
    assert seconds(["202401011200"]) == [JANUARY + 12 * 3600]
    given_events = events([20240101, 20240103])
    for start in (20240102, "20240102", "2024-01-02"):
        assert filter_events(given_events, start=start)[0].frame["item_id"].to_list() == [1]
    with pytest.raises(ConfigError, match="written as %Y%m%d like the times"):
        filter_events(given_events, start=JANUARY)


@pytest.mark.parametrize(
    ("column", "row", "expected"),
    [
        (["01/02/2024", "03/01/2024"], 0, "set data.time_format"),
        (["01/31/2024", "31/01/2024"], 0, "day/month/year"),
        (["2024-01-01", "NaT"], 1, "like '2024-01-01'"),
        (["now"], 0, "a number or a date"),
        (["today"], 0, "a number or a date"),
        (["NaT"], 0, "a number or a date"),
        (["2024-02-30"], 0, "like '2024-02-30'"),
        (["5", "soon"], 1, "a number like the others"),
        (["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"], 1, "a time zone"),
        (["13:00 PM 01/01/2024"], 0, "a number or a date"),
        ([float("inf")], 0, "finite"),
        ([1e30], 0, "64 bits"),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), 0, "64 bits"),
        (pl.Series([0]).cast(pl.Duration), 0, ""),
        (pl.Series([0]).cast(pl.Time), 0, ""),
        ([[1]], 0, ""),
        ([True], 0, ""),
    ],
)
def test_what_is_no_time_is_named(column, row, expected):
    with pytest.raises(BadTime) as caught:
        read_times(column if isinstance(column, pl.Series) else pl.Series(column))
    assert caught.value.row == row
    assert expected in caught.value.expected
    with pytest.raises(DataError, match="timestamp") as line:
        events(column)
    assert "\n" not in str(line.value)


def test_a_format_overrules_what_would_be_found():
    assert seconds(["01/02/2024", "03/01/2024"], form="%d/%m/%Y") == [JANUARY + 31 * 86_400, JANUARY + 2 * 86_400]
    assert seconds(["2024-01-01 00:00:00.123456789"], form="%Y-%m-%d %H:%M:%S%.f") == [JANUARY + 0.123456789]
    with pytest.raises(BadTime):
        read_times(pl.Series(["2024"]), form="%d/%m/%Y")
    for options in ({"time_format": "%d", "time_unit": "s"}, {"time_unit": "s"}, {"time_format": "%H"}):
        with pytest.raises(ConfigError, match=r"data\.time_"):
            events(["2024-01-01"], **options)
    with pytest.raises(ConfigError, match="no time column"):
        events_from(pl.DataFrame({"user_id": [1], "item_id": [1]}), time_unit="s")


@pytest.mark.parametrize(
    ("bound", "tick"),
    [
        ("2024-01-01", JANUARY * 1000),
        ("2024-01", JANUARY * 1000),
        ("2024-01-01 00:00:00.0005", JANUARY * 1000 + 1),
        ("2024-01-01T02:00+02:00", JANUARY * 1000),
        ("1404172800", 1404172800),
        (5, 5),
        (5.5, 6),
        (10**18, 10**18),
        (2**62, 2**62),
        ("1969-12-31T23:59:59.5", -500),
    ],
)
def test_bounds_are_dates_or_numbers_of_the_source(bound, tick):
    assert Clock(1000).at(bound, "filter.start") == tick


@pytest.mark.parametrize("bound", ["NaT", "now", "today", "01/02/2024", "soon", "", float("nan")])
def test_other_bounds_are_refused(bound):
    with pytest.raises(ConfigError, match=r"filter\.start is"):
        Clock(1000).at(bound, "filter.start")


def test_a_date_is_no_bound_for_positions():
    with pytest.raises(DataError, match=r"set data\.time_unit"):
        filter_events(events([0, 1, 2]), start="2024-01-01")
    with pytest.raises(DataError, match=r"split\.valid_from .* set data\.time_unit"):
        temporal(Dataset.from_events(events([0, 1, 2])), valid_from="2024-01-01", test_from="2024-01-02")


def test_bounds_and_splits_count_in_fractions_of_a_second():
    """Latest first, as many exports are written."""
    given_events = events([JANUARY + 0.9, JANUARY + 0.5, JANUARY + 0.1])
    assert filter_events(given_events, start=JANUARY + 0.5)[0].frame["item_id"].to_list() == [0, 1]
    assert filter_events(given_events, end="2024-01-01 00:00:00.5")[0].frame["item_id"].to_list() == [2]
    dataset = Dataset.from_events(given_events)
    assert dataset.interactions.item[leave_last(dataset) == TEST].tolist() == [0]
    labels = temporal(dataset, valid_from=JANUARY + 0.2, test_from=JANUARY + 0.6)
    assert dict(zip(dataset.interactions.item.tolist(), labels.tolist(), strict=True)) == {2: 0, 1: 1, 0: 2}


def test_a_bound_outside_of_the_times_is_noted():
    kept, _ = filter_events(events([JANUARY * 1000, JANUARY * 1000 + 1]), start=JANUARY)
    assert any("leaves out nothing: the times are 2024-01-01" in note for note in kept.notes)


def test_bounds_beyond_64_bits_leave_out_all_or_nothing():
    given_events = events([JANUARY + 0.5, JANUARY + 0.25])
    assert len(filter_events(given_events, end=10**18)[0]) == 2
    with pytest.raises(DataError, match=r"filter\.start left none"):
        filter_events(given_events, start=10**18)


def test_dates_before_1970_keep_their_order():
    assert seconds(["1969-12-31 23:59:59.5", "1969-12-31 23:59:59.25"]) == [-0.5, -0.75]
    assert seconds([datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000)]) == [-0.5]
    assert seconds(["31/12/1969 23:59:59.5"]) == [-0.5]


@pytest.mark.parametrize(
    "time",
    [[0.75, 0.5], np.array(["2024-01-01T00:00:00.5", "2024-01-01T00:00:00.25"], "M8[ms]"), [JANUARY + 0.5, JANUARY]],
)
def test_interactions_of_arrays_keep_fractions(time):
    made = Interactions.from_indices(np.zeros(2), np.arange(2), np.asarray(time), vocabulary=Vocabulary.range(1, 2))
    assert made.item.tolist() == [1, 0]
    assert made.time[0] < made.time[1]
    with pytest.raises(DataError, match="time 1 is missing"):
        Interactions.from_indices(np.zeros(2), np.arange(2), np.array([0.5, np.nan]), vocabulary=Vocabulary.range(1, 2))

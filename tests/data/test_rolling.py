"""Rolling folds: windows against a naive rule, no leak from later events, durations, and data that are too short."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recpair.data.rolling import OUTSIDE, rolling_folds, ticks_of
from recpair.data.splitting import TEST, TRAIN, VALID
from recpair.data.times import Clock
from recpair.errors import ConfigError, DataError
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import folds_of, prepare

SECONDS, POSITIONS = Clock(1), Clock()
DAY = 86_400


@st.composite
def event_frames(draw):
    """Events of few users, each (user, item) once, at 8 to 30 times without a gap; several events may share a time."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 11)), min_size=24, max_size=40, unique=True))
    user, item = zip(*pairs, strict=True)
    length = draw(st.integers(8, min(len(pairs), 30)))
    more = draw(st.lists(st.integers(0, length - 1), min_size=len(pairs) - length, max_size=len(pairs) - length))
    return pl.DataFrame({"user_id": user, "item_id": item, "timestamp": draw(st.permutations([*range(length), *more]))})


def rolling(more, **sections):
    return load_config({"split": {"name": "rolling", "folds": 3} | more, "data": {"time_unit": "order"}} | sections)


ROLLING, TEMPORAL = rolling({"horizon": 1}), rolling({}, split={"name": "temporal"})


def changed(config, **sections):
    """A config with other values, without the time of checking it again."""
    return replace(config, sections=config.sections | {name: config[name] | new for name, new in sections.items()})


def rows(part):
    """User, item and time of each event, in external ids."""
    users, items = part.vocabulary.users.of(part.user), part.vocabulary.items.of(part.item)
    return set(zip(users.to_list(), items.to_list(), part.time.tolist(), strict=True))


def prepared(config, frame):
    """Parts of the folds, and the folds; examples of a part without known users do not count."""
    try:
        folds = folds_of(config, frame)
        found = [prepare(changed(config, split={"fold": fold.number}), frame) for fold in folds]
    except DataError:
        assume(False)
    return found, folds


@settings(max_examples=40)
@given(event_frames(), st.integers(2, 3), st.integers(1, 2), st.sampled_from([None, 3, 9]))
def test_time_separates_the_parts_and_every_event_is_tested_once_or_counted(frame, folds, horizon, window):
    found, _ = prepared(changed(ROLLING, split={"folds": folds, "horizon": horizon, "window": window}), frame)
    end = frame["timestamp"].max() + 1
    tested, untested = set(), 0
    for splits in found:
        assert splits.train.time.max() < splits.valid.time.min()
        assert splits.valid.time.max() < splits.test.time.min()
        if window is not None:
            assert splits.train.time.min() >= splits.test.time.max() - 2 * horizon - window
        assert not tested & rows(splits.test)
        tested |= rows(splits.test)
        untested += splits.report["events_in_test_window"] - splits.report["test_events"]
    assert len(tested) + untested == (frame["timestamp"] >= end - folds * horizon).sum()


@settings(max_examples=40)
@given(event_frames(), event_frames(), st.sampled_from(["first", "last", "count", "keep"]), st.integers(1, 2))
def test_later_events_change_nothing(frame, other, keep, core):
    """A fold is the same, ids and weights included, whatever happens after its test window."""
    end = frame["timestamp"].max() + 1
    counted = {"deduplicate": keep, "user_core": core, "item_core": core}
    config = changed(ROLLING, split={"horizon": 2, "end": end, "folds": 2}, filter=counted)
    before, folds = prepared(config, frame)
    later = pl.concat([frame, other.with_columns(pl.col("timestamp") + end)])
    for fold, splits in zip(folds, before, strict=True):
        again = prepare(changed(config, split={"fold": fold.number}), later)
        assert again.fingerprint == splits.fingerprint
        assert again.vocabulary.items.values.equals(splits.vocabulary.items.values)


@settings(max_examples=25)
@given(event_frames())
def test_a_fold_is_the_temporal_split_of_the_data_until_its_end(frame):
    found, folds = prepared(ROLLING, frame)
    for fold, splits in zip(folds, found, strict=True):
        cuts = {"valid_from": fold.valid_from, "test_from": fold.test_from}
        plain = prepare(changed(TEMPORAL, split=cuts, filter={"end": fold.end}), frame)
        assert plain.fingerprint == splits.fingerprint
        assert plain.test_fingerprint == splits.test_fingerprint


@given(st.lists(st.integers(0, 60), min_size=5, max_size=40), st.integers(1, 8), st.integers(1, 9))
def test_the_message_says_how_many_folds_fit(times, folds, horizon):
    time = np.array(times)
    most = max((f for f in range(70) if time.min() < time.max() + 1 - (f + 1) * horizon), default=0)
    if folds <= most:
        found = rolling_folds(time, POSITIONS, folds=folds, horizon=horizon)
        assert [f.end - f.test_from for f in found] == [horizon] * folds == [f.test_from - f.valid_from for f in found]
        assert [f.end for f in found] == [found[-1].end - k * horizon for k in range(folds)][::-1]
        assert found[-1].end == time.max() + 1
        for fold in found:
            labels = fold.labels(time)
            assert fold.events == tuple((labels == part).sum() for part in (TRAIN, VALID, TEST))
            assert ((labels == OUTSIDE) == (time >= fold.end)).all()
        return
    message = rf"split\.folds is {folds}, but the times .* have room for {most} folds .*; lower split\.folds"
    with pytest.raises(DataError, match=message):
        rolling_folds(time, POSITIONS, folds=folds, horizon=horizon)


@pytest.mark.parametrize(
    ("duration", "clock", "ticks"),
    [
        ("7d", SECONDS, 7 * DAY),
        ("2w", SECONDS, 14 * DAY),
        ("12 h", SECONDS, DAY // 2),
        ("90min", Clock(1000, 1000), 5_400_000),
        ("1.5s", Clock(1000, 1000), 1500),
        ("0.1s", Clock(10**9, 10**9), 10**8),
        (604_800, SECONDS, 7 * DAY),
        (3, Clock(1000, 1000), 3000),  # seconds with fractions, kept as milliseconds
        (25, POSITIONS, 25),
        ("25", POSITIONS, 25),
        (0.5, Clock(None, 10), 5),
    ],
)
def test_durations(duration, clock, ticks):
    assert ticks_of(duration, clock, "split.horizon") == ticks


@pytest.mark.parametrize(
    ("duration", "clock", "message"),
    [
        ("7d", POSITIONS, "the unit of the times is unknown; set data.time_unit"),
        ("0.5s", SECONDS, "a multiple of the resolution of the times, 1 s"),
        (0.25, Clock(None, 10), "a multiple of the resolution of the times, 0.1"),
        (7, Clock(1, 1, "%Y%m%d"), "the times are dates written as %Y%m%d; give a unit, as in 7d"),
    ],
)
def test_durations_that_the_data_cannot_have(duration, clock, message):
    with pytest.raises((ConfigError, DataError), match=rf"split\.horizon is .*{message}"):
        ticks_of(duration, clock, "split.horizon")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            {"horizon": "a week"},
            r"split\.horizon is 'a week'; expected a duration such as 7d \(units s, min, h, d, w\)",
        ),
        ({"horizon": "7m"}, r"split\.horizon is '7m'; expected a duration"),
        ({"horizon": 0}, r"split\.horizon is 0; expected .*, above 0"),
        ({"horizon": "1e999999999"}, r"split\.horizon is '1e999999999'; expected .*, above 0 and below 1e\+18"),
        ({"horizon": "7d", "window": "-1d"}, r"split\.window is '-1d'; expected a duration"),
        ({}, r"split\.horizon is missing"),
        ({"horizon": "7d", "folds": 1}, r"split\.folds: .*greater than or equal to 2"),
        ({"horizon": "7d", "fold": 4}, r"split\.fold is 4, but split\.folds is 3; expected a number from 1 to 3"),
    ],
)
def test_mistakes_are_found_before_data_is_read(split, message):
    with pytest.raises(ConfigError, match=message):
        rolling(split)


def dated(days):
    """Two users with one event each per day."""
    n = 2 * len(days)
    at = [datetime.fromtimestamp(1_577_836_800 + DAY * day, UTC).date() for day in days for _ in range(2)]
    return pl.DataFrame({"user_id": [0, 1] * len(days), "item_id": [i % 5 for i in range(n)], "timestamp": at})


def test_windows_of_dates(caplog):
    config = load_config({"split": {"name": "rolling", "folds": 2, "horizon": "7d"}, "filter": {"deduplicate": "keep"}})
    frame = dated(range(28))  # 2020-01-01 … 2020-01-28
    last = folds_of(config, frame)[-1]
    assert last.events == (28, 14, 14)
    aligned = folds_of(load_config(config, ["split.end=2020-01-29"]), frame)[-1]
    assert str(aligned) == (
        "fold 2 of 2: training before 2020-01-15, validation up to 2020-01-22, test up to 2020-01-29 (ends excluded)"
    )
    assert aligned.events == last.events
    caplog.set_level("INFO", "recpair")
    prepare(load_config(config, ["split.end=2020-01-29", "split.fold=2", "split.window=3d"]), frame)
    assert any(text.startswith("fold 2 of 2: training 2020-01-12 … 2020-01-15, validation") for text in caplog.messages)


def test_data_that_have_no_such_folds():
    config = load_config({"split": {"name": "rolling", "folds": 5, "horizon": "7d"}, "filter": {"deduplicate": "keep"}})
    with pytest.raises(
        DataError, match=r"2020-01-01 … 2020-01-28, 27 days\) have room for 2 folds with a horizon of 7d"
    ):
        folds_of(config, dated(range(28)))
    gap = dated([*range(20), *range(27, 60)])
    with pytest.raises(DataError, match=r"fold 1 of 5 has no train events"):
        folds_of(load_config(config, ["split.window=1h", "split.end=2020-02-29"]), gap)
    with pytest.raises(
        DataError, match=r"fold 1 of 3 has no valid events: there are none from 2020-01-21 up to 2020-01-28"
    ):
        folds_of(load_config(config, ["split.folds=3", "split.end=2020-02-18"]), gap)
    assert folds_of(load_config(config, ["split.folds=3", "split.end=2020-02-18", "evaluate.monitor=null"]), gap)
    for end in ("2020-01-01", "2020-02-06", 5):
        with pytest.raises(
            DataError, match=rf"split\.end is {end}, but the times are 2020-01-01 … 2020-01-28; expected"
        ):
            folds_of(load_config(config, [f"split.end={end}"]), dated(range(28)))
    with pytest.raises(ConfigError, match=r"needs a time column.*data\.columns\.time"):
        folds_of(config, dated(range(28)).drop("timestamp"))
    with pytest.raises(
        ConfigError, match=r"split\.name is rolling, with 2 folds; choose one of them, as in split\.fold=2"
    ):
        prepare(load_config(config, ["split.folds=2"]), dated(range(28)))

"""External ids have one form, whatever type they arrive in; a naive function of one value says which."""

import math
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpair.data.events import events_from, read_data
from recpair.data.ids import as_column, canonical, keys
from recpair.data.vocabulary import Ids
from recpair.errors import DataError, UnknownIdError

WHOLE_FLOATS = st.integers(-(2**53), 2**53).map(float)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    WHOLE_FLOATS,
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.sampled_from([float("nan"), -0.0, 1e20, np.float32(3), np.int8(-4), np.uint64(2**63 + 1)]),
    st.decimals(-1000, 1000, places=2),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.sampled_from(["1", "007", "1.0", "-0", "1e3", " 1 ", "true", b"x"]),
)


def naive(value) -> str | None:
    """The text of one id."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    if value == int(value):
        return str(int(value))
    return format(Decimal(str(value)).normalize(), "f")


def texts(ids) -> list[str | None]:
    return keys(as_column(ids, "user_id"), "user_id").cast(pl.String).to_list()


@given(st.lists(VALUES, max_size=8))
def test_the_form_of_an_id_depends_on_its_value_alone(values):
    assert texts(values) == [naive(value) for value in values]
    assert [texts([value])[0] for value in values] == texts(values)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
def test_every_type_that_holds_the_integers_names_the_same_ids(values):
    expected = list(map(str, values))
    small = [value % 100 for value in values]
    assert texts(pl.Series(values, dtype=pl.Int128)) == texts(np.array(values)) == texts(pd.Series(values)) == expected
    for kind in (pl.UInt8, pl.Int16, pl.UInt64, pl.UInt128, pl.Float32, pl.Float64, pl.Decimal(10, 3)):
        column = keys(pl.Series(small, dtype=pl.Int64).cast(kind), "user_id")
        assert column.dtype == pl.Int64
        assert column.to_list() == small


def test_nothing_that_has_a_value_becomes_null():
    assert texts(pl.Series([2**63, 1], dtype=pl.UInt64)) == [str(2**63), "1"]
    assert texts(pl.Series([2**100, None], dtype=pl.Int128)) == [str(2**100), None]
    assert texts(pl.Series([1e300, 1e20, math.inf])) == ["1e+300", "100000000000000000000", "inf"]
    assert texts([2**70, 2]) == [str(2**70), "2"]
    assert texts(pl.Series(["a", None], dtype=pl.Categorical)) == ["a", None]
    assert texts(pl.Series(["b"], dtype=pl.Enum(["a", "b"]))) == ["b"]
    assert texts(pl.Series([b"a", None])) == ["a", None]
    assert texts(pd.Series([1, None], dtype="Int64")) == ["1", None]
    assert texts(pd.Series([1, 2], dtype="category")) == ["1", "2"]
    assert texts([uuid.UUID(int=1)]) == ["00000000-0000-0000-0000-000000000001"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["7", "12", "0"], [7, 12, 0]),
        (["007", "12"], ["007", "12"]),
        (["a", "1"], ["a", "1"]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["1.0", None, "2.0"], [1, None, 2]),
        (["1.0", "2"], ["1.0", "2"]),
        ([" 1", "1"], [" 1", "1"]),
        (["1e3", "2"], ["1e3", "2"]),
    ],
)
def test_a_column_of_text_is_read_as_integers_if_every_value_is_one(written, read):
    assert canonical(pl.Series(written), "user_id").to_list() == read


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("15", r"user_id is '15'; expected a list"),
        (3, "user_id is 3; expected a list"),
        ([[1]], r"holds \[1\] of type list"),
        (np.zeros((2, 2)), "of type list"),
        ([b"\xff"], "of type bytes"),
        (["\ud800"], "not valid Unicode"),
        (pl.Series([[1]]), r"is of type List\(Int64\)"),
        (pl.Series([b"a", b"\xff"]), r"row 2: b'\\xff' is not UTF-8"),
        (pl.Series([1]).cast(pl.Date), "is of type Date"),
    ],
)
def test_what_cannot_be_ids_is_refused_in_one_line(ids, message):
    with pytest.raises(DataError, match=message) as caught:
        keys(as_column(ids, "user_id"), "user_id")
    assert "\n" not in str(caught.value)


@given(st.lists(VALUES, max_size=6), st.lists(st.integers(0, 40), min_size=1, unique=True))
def test_ids_are_found_by_their_text(asked, known):
    for values in (pl.Series(known), pl.Series(map(str, known)), pl.Series([*map(str, known), "x"])):
        place = {str(id_): index for index, id_ in enumerate(values.to_list())}
        expected = [place.get(str(naive(a)), place.get(str(naive(a)).removesuffix(".0"), -1)) for a in asked]
        assert Ids("user", values).find(asked).tolist() == expected


@pytest.mark.parametrize(
    "asked",
    [[1, 2], [1.0, 2.0], ["1", "2"], ["1.0", "2"], ("1", 2.0), range(1, 3), pd.Series([1.0, 2.0]), {1: 0, 2: 0}],
)
def test_ids_of_any_type_find_the_integers(asked):
    assert Ids("item", pl.Series([2, 1])).indices(asked).tolist() == [1, 0]


def test_unknown_and_missing_ids_are_named():
    ids = Ids("item", pl.Series([1, 2]))
    with pytest.raises(UnknownIdError, match=r"unknown item_id: \(empty\), 3 \(2 items are known\)"):
        ids.indices(pd.Series([1.0, None, 3.0]))
    with pytest.raises(UnknownIdError, match=r"0, 3, 4, 5, 6 and 91 more"):
        ids.indices(range(98))


def test_events_and_side_tables_of_other_types_name_the_same_ids(tmp_path):
    frame = pd.DataFrame({"user_id": [1.0, 2.0, 2.0], "item_id": [7.0, 8.0, 7.0]})
    frame.to_csv(tmp_path / "events.csv", index=False)
    (tmp_path / "items.csv").write_text("item_id,title\n7,seven\n8,eight\nunknown,\n")
    events = read_data(path=str(tmp_path / "events.csv"), items=str(tmp_path / "items.csv"))
    assert events.frame["item_id"].to_list() == events_from(frame).frame["item_id"].to_list() == [7, 8, 7]
    assert Ids("item", pl.Series([7, 8])).find(events.items["item_id"]).tolist() == [0, 1, -1]


def test_floats_too_large_to_tell_integers_apart_are_noted():
    notes = events_from(pl.DataFrame({"user_id": [2.0**54, 1.0], "item_id": [1, 2]})).notes
    assert "cannot distinguish neighbouring integers" in notes[0]

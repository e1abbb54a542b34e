"""Answers of a service: one per row, equal to those of ``recommend``."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recpair
from recpair.errors import DataError, RecpairError, RunError, UnknownIdError
from recpair.run import answers as answering
from recpair.run.answers import answers


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Users u0 … u19 and items i0 … i19 on a checkerboard."""
    user, item = np.nonzero(np.add.outer(np.arange(20), np.arange(20)) % 2 == 0)
    frame = pl.DataFrame({"user_id": [f"u{u}" for u in user], "item_id": [f"i{i}" for i in item]})
    config = {"model": "item_knn", "tracking": None, "output": str(tmp_path_factory.mktemp("runs") / "texts")}
    return recpair.fit(config, data=frame)


def one(run, row, **options):
    """The answer to one row, by ``recommend``."""
    user, history = row
    asked = {"users": [user]} if history is None else {"histories": [history]}
    frame = run.recommend(**asked, **options)
    return frame["item_id"].to_list(), frame["score"].to_list()


ROWS = st.one_of(
    st.tuples(st.sampled_from([f"u{u}" for u in range(20)]), st.none()),
    st.tuples(st.none(), st.lists(st.sampled_from([f"i{i}" for i in range(20)]), min_size=1, max_size=4)),
)


@settings(max_examples=25)
@given(st.lists(ROWS, min_size=1, max_size=8), st.integers(1, 5), st.booleans())
def test_each_row_has_the_answer_that_it_has_alone(run, rows, k, exclude_seen):
    options = {"k": k, "exclude_seen": exclude_seen}
    found = answers(run, {"user_id": [u for u, _ in rows], "history": [h for _, h in rows]}, options)
    for row, items, scores in zip(rows, found["item_id"], found["score"], strict=True):
        expected = one(run, row, **options)
        assert items == expected[0]
        assert scores == pytest.approx(expected[1], rel=1e-5)


def test_parameters_are_those_of_recommend(run):
    found = answers(
        run, {"user_id": ["u0"]}, {"k": 2, "items": ["i1", "i3", "i5"], "exclude": ["i3"], "on_unknown": None}
    )
    frame = run.recommend(["u0"], k=2, items=["i1", "i3", "i5"], exclude=["i3"])
    assert found == {"item_id": [frame["item_id"].to_list()], "score": [frame["score"].to_list()]}


def test_unknown_users_have_a_row(run):
    rows = {"user_id": ["nobody", "u1", None], "history": [None, None, ["?"]]}
    skipped = answers(run, rows, {"k": 2, "on_unknown": "skip"})
    assert [len(items) for items in skipped["item_id"]] == [0, 2, 0]
    popular = answers(run, rows, {"k": 2, "on_unknown": "popular"})
    assert popular["fallback"] == [True, False, True]
    assert popular["item_id"][0] == run.recommend(["nobody"], k=2, on_unknown="popular")["item_id"].to_list()


def test_a_user_who_has_seen_nearly_all_items(run):
    found = answers(run, {"user_id": ["u1", "u0"]}, {"k": 20})
    assert [len(items) for items in found["item_id"]] == [20 - len(run.recommender.train.items_of(u)) for u in (1, 0)]


def test_ids_are_numbers_or_text(checkerboard, quick):
    fitted = recpair.fit(quick, data=checkerboard)
    expected = answers(fitted, {"user_id": [3], "history": [None]}, {"k": 2})
    assert all(type(item) is int for item in expected["item_id"][0])
    missing = float("nan")
    for user in ("3", 3.0, np.int64(3)):
        found = answers(fitted, {"user_id": [user, missing], "history": [pd.NA, np.array([5, 7])]}, {"k": 2})
        assert found["item_id"][0] == expected["item_id"][0]
        assert found["item_id"][1] == fitted.recommend(histories=[[5, 7]], k=2)["item_id"].to_list()


@pytest.mark.parametrize(
    ("rows", "parameters", "kind", "message"),
    [
        ({"user_id": []}, {}, RunError, "the request has no rows"),
        ({}, {}, RunError, "the request has no rows"),
        ({"userid": ["u1"]}, {}, RunError, r"columns are \['userid'\]; did you mean user_id\?; expected"),
        ({"user_id": ["u1"], "history": [["i1"]]}, {}, RunError, "row 0 has both user_id and history"),
        ({"user_id": ["u1", None]}, {}, RunError, "row 1 has neither user_id nor history"),
        ({"user_id": ["u1", "u22"]}, {}, UnknownIdError, r"unknown user_id: u22 .* did you mean u2\?"),
        ({"user_id": [{"id": 1}]}, {}, DataError, "user_id holds {'id': 1} of type dict; expected numbers or text"),
        (
            {"user_id": [2.0**53, None], "history": [None, ["i1"]]},
            {},
            RunError,
            "row 0: user_id 9007199254740992 is too",
        ),
        ({"history": ["i1"]}, {}, RunError, "row 0: history is 'i1'; expected a list of item ids"),
        ({"history": [["i1"], []]}, {}, RunError, "row 1: history is empty; give an item"),
        ({"history": [["i1", None]]}, {}, RunError, "row 0: history holds null"),
        ({"history": [["i1", [2]]]}, {}, DataError, r"row 0: history holds \[2\] of type list"),
        ({"history": [["i1l"]]}, {}, UnknownIdError, r"unknown item_id: i1l .* did you mean i1"),
        ({"user_id": ["u1"]}, {"K": 5}, RunError, r"unknown parameter 'K'.*known: k, exclude_seen"),
        ({"user_id": ["u1"]}, {"excluded": []}, RunError, "unknown parameter 'excluded'; did you mean exclude"),
        ({"user_id": ["u1"]}, {"k": 0}, RunError, "k is 0, but there are 20 items to rank; choose k between 1 and 20"),
        ({"user_id": ["u1"]}, {"k": 21}, RunError, "k is 21"),
        ({"user_id": ["u1"]}, {"k": "5"}, RunError, "k is '5'"),
        ({"user_id": ["u1"]}, {"k": True}, RunError, "k is True"),
        ({"user_id": ["u1"]}, {"exclude_seen": 1}, RunError, "exclude_seen is 1; expected True or False"),
        ({"user_id": ["u1"]}, {"on_unknown": "what"}, RunError, "on_unknown is 'what'; expected one of raise"),
        ({"user_id": ["u1"]}, {"items": "i1"}, RunError, "items is 'i1'; expected a list"),
        ({"user_id": ["u1"]}, {"items": ["i1", "i77"]}, UnknownIdError, "unknown item_id: i77"),
        ({"user_id": ["u1"]}, [5], RunError, r"params is \[5\]; expected an object"),
    ],
)
def test_wrong_requests(run, rows, parameters, kind, message):
    with pytest.raises(kind, match=message) as error:
        answers(run, rows, parameters)
    assert isinstance(error.value, RecpairError)
    assert "\n" not in str(error.value)


def test_the_size_of_an_answer_is_bounded(run, monkeypatch):
    monkeypatch.setattr(answering, "MOST", 10)
    with pytest.raises(RunError, match="has up to 12 items, but at most 10 are allowed; send fewer rows or lower k"):
        answers(run, {"user_id": ["u1", "u2", "u1"]}, {"k": 4})

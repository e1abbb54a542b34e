"""Calls with arguments of every kind: each works, or raises a RecpairError of one line."""

import datetime
import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import recpair
from recpair.errors import RecpairError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Integer ids 0 … 19 of users and items on a checkerboard."""
    user, item = np.nonzero(np.add.outer(np.arange(20), np.arange(20)) % 2 == 0)
    config = {
        "model": {"embedding_dim": 4},
        "train": {"epochs": 1},
        "sampler": {"batch_size": 64},
        "evaluate": {"cutoffs": [2], "monitor": "ndcg@2"},
        "tracking": None,
        "output": str(tmp_path_factory.mktemp("calls") / "run"),
    }
    items = pl.DataFrame({"item_id": range(20), "title": [f"<b>{i}" for i in range(20)]})
    return recpair.fit(config, data=pl.DataFrame({"user_id": user, "item_id": item}), items=items)


WORKING = {
    "list": lambda run: run.recommend([1, 2]),
    "text": lambda run: run.recommend(["1", "2"]),
    "floats": lambda run: run.recommend([1.0, 2.0]),
    "tuple": lambda run: run.recommend((1, 2)),
    "range": lambda run: run.recommend(range(1, 3)),
    "set": lambda run: run.recommend({1, 2}),
    "numpy": lambda run: run.recommend(np.array([1, 2], dtype=np.uint8)),
    "numpy text": lambda run: run.recommend(np.array(["1", "2"])),
    "numpy objects": lambda run: run.recommend(np.array([1, "2"], dtype=object)),
    "torch": lambda run: run.recommend(torch.tensor([1, 2])),
    "arrow": lambda run: run.recommend(pa.array([1, 2])),
    "series": lambda run: run.recommend(pl.Series([1, 2])),
    "decimals": lambda run: run.recommend(pl.Series(["1", "2"]).cast(pl.Decimal(10, 2))),
    "categories": lambda run: run.recommend(pl.Series(["1", "2"], dtype=pl.Categorical)),
    "frame": lambda run: run.recommend(pl.DataFrame({"user_id": [1, 2]})),
    "lazy frame": lambda run: run.recommend(pl.LazyFrame({"user_id": [1, 2]})),
    "pandas": lambda run: run.recommend(pd.Series([1, 2])),
    "pandas index": lambda run: run.recommend(pd.Index([1, 2])),
    "pandas nullable": lambda run: run.recommend(pd.Series([1, 2], dtype="Int64")),
    "pandas categories": lambda run: run.recommend(pd.Series(["1", "2"], dtype="category")),
    "pandas frame": lambda run: run.recommend(pd.DataFrame({"user_id": [1.0, 2.0]})),
    "numpy k": lambda run: run.recommend([1, 2], k=np.int64(10)),
    "numpy flag": lambda run: run.recommend([1, 2], exclude_seen=np.True_, titles=np.False_),
    "titles": lambda run: run.recommend([1, 2], titles=True),
}


@pytest.mark.parametrize("form", WORKING)
def test_every_form_of_a_list_gives_the_same_recommendations(run, form):
    expected, found = run.recommend([1, 2]), WORKING[form](run)
    found = pl.from_pandas(found) if isinstance(found, pd.DataFrame) else found
    assert found["user_id"].cast(pl.String).to_list() == expected["user_id"].cast(pl.String).to_list()
    assert found["item_id"].to_list() == expected["item_id"].to_list()
    assert found["score"].to_list() == expected["score"].to_list()


HISTORIES = {
    "lists": [[1, 2], [3, 4]],
    "tuples": ((1, 2), (3, 4)),
    "numpy": np.array([[1, 2], [3, 4]]),
    "list of numpy": [np.array([1, 2]), np.array([3.0, 4.0])],
    "mixed types": [["1", "2"], [3, 4]],
    "series of lists": pl.Series([[1, 2], [3, 4]]),
    "list of series": [pl.Series([1, 2]), pd.Series([3, 4])],
    "pandas of lists": pd.Series([[1, 2], [3, 4]]),
    "arrow of lists": pa.array([[1, 2], [3, 4]]),
}


@pytest.mark.parametrize("form", HISTORIES)
def test_every_form_of_histories_gives_the_same_recommendations(run, form):
    assert run.recommend(histories=HISTORIES[form], k=3).equals(run.recommend(histories=[[1, 2], [3, 4]], k=3))


REFUSED = {
    "text for users": lambda run: run.recommend("15"),
    "bytes for users": lambda run: run.recommend(b"15"),
    "a number for users": lambda run: run.recommend(15),
    "NaN for users": lambda run: run.recommend(float("nan")),
    "a dict for users": lambda run: run.recommend({1: 2}),
    "a generator for users": lambda run: run.recommend(i for i in (1, 2)),
    "lists in a list": lambda run: run.recommend([[1, 2]]),
    "two dimensions": lambda run: run.recommend(np.ones((2, 2))),
    "no dimension": lambda run: run.recommend(np.array(1)),
    "a missing user": lambda run: run.recommend([1, None]),
    "a NaN user": lambda run: run.recommend([1.0, float("nan")]),
    "a missing pandas user": lambda run: run.recommend(pd.Series([1, None])),
    "a date": lambda run: run.recommend([datetime.date(2020, 1, 1)]),
    "dates": lambda run: run.recommend(pl.Series([datetime.date(2020, 1, 1)])),
    "an object": lambda run: run.recommend([object()]),
    "structs": lambda run: run.recommend(pl.Series([{"a": 1}])),
    "bytes that are not text": lambda run: run.recommend([b"\xff"]),
    "complex numbers": lambda run: run.recommend(np.array([1 + 2j])),
    "a half character": lambda run: run.recommend(["\ud800"]),
    "a long id": lambda run: run.recommend(["x" * 10_000] * 20),
    "many unknown ids": lambda run: run.recommend(list(range(100, 10_000))),
    "a frame without the column": lambda run: run.recommend(pl.DataFrame({f"c{i}": [1] for i in range(1000)})),
    "a frame with the column twice": lambda run: run.recommend(pd.DataFrame([[1, 2]], columns=["user_id"] * 2)),
    "a type": lambda run: run.recommend(list),
    "k True": lambda run: run.recommend([1], k=True),
    "k 0": lambda run: run.recommend([1], k=0),
    "k -1": lambda run: run.recommend([1], k=-1),
    "k 1.5": lambda run: run.recommend([1], k=1.5),
    "k '10'": lambda run: run.recommend([1], k="10"),
    "k None": lambda run: run.recommend([1], k=None),
    "k array": lambda run: run.recommend([1], k=np.array([1, 2])),
    "k huge": lambda run: run.recommend([1], k=10**400),
    "text for exclude_seen": lambda run: run.recommend([1], exclude_seen="no"),
    "0 for exclude_seen": lambda run: run.recommend([1], exclude_seen=0),
    "text for titles": lambda run: run.recommend([1], titles="no"),
    "on_unknown None": lambda run: run.recommend([1], on_unknown=None),
    "on_unknown list": lambda run: run.recommend([1], on_unknown=["raise"]),
    "on_unknown array": lambda run: run.recommend([1], on_unknown=np.array(["skip", "raise"])),
    "text for items": lambda run: run.recommend([1], items="15"),
    "bytes for items": lambda run: run.recommend([1], items=b"15"),
    "a dict for items": lambda run: run.recommend([1], items={1: 1, 5: 1}),
    "a number for items": lambda run: run.recommend([1], items=15),
    "a generator for items": lambda run: run.recommend([1], items=(i for i in (1, 5))),
    "no items": lambda run: run.recommend([1], items=[]),
    "missing items": lambda run: run.recommend([1], items=[None]),
    "text for histories": lambda run: run.recommend(histories="15"),
    "a list of ids for histories": lambda run: run.recommend(histories=[1, 5]),
    "text in histories": lambda run: run.recommend(histories=["15"]),
    "a dict for histories": lambda run: run.recommend(histories={"a": [1]}),
    "a dict in histories": lambda run: run.recommend(histories=[{1: 1}]),
    "None in histories": lambda run: run.recommend(histories=[[1], None]),
    "a missing item in a history": lambda run: run.recommend(histories=[[1, None]]),
    "a frame for histories": lambda run: run.recommend(histories=pl.DataFrame({"item_id": [1]})),
    "a generator for histories": lambda run: run.recommend(histories=([i] for i in (1, 2))),
    "an empty history": lambda run: run.recommend(histories=[[]]),
    "text for similar_items": lambda run: run.similar_items("15"),
    "None for similar_items": lambda run: run.similar_items(None),
    "similar_items with k 0": lambda run: run.similar_items([1], k=0),
    "score of text": lambda run: run.score("1", "1"),
    "score of generators": lambda run: run.score((i for i in (1,)), (i for i in (1,))),
    "score of unequal lists": lambda run: run.score([1, 2], [1]),
    "score of None": lambda run: run.score([1], None),
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_cannot_be_answered_is_refused_in_one_line(run, call):
    with pytest.raises(RecpairError) as error:
        REFUSED[call](run)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) <= 400


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.recommend([]),
        lambda run: run.recommend([], on_unknown="popular"),
        lambda run: run.recommend(histories=[]),
        lambda run: run.recommend(histories=[[], [None]], on_unknown="skip"),
        lambda run: run.recommend([None, float("nan"), "x"], on_unknown="skip"),
        lambda run: run.similar_items([]),
        lambda run: run.score([], []),
    ],
)
def test_empty_lists_have_empty_answers(run, call):
    frame = call(run)
    assert frame.is_empty()
    assert {"item_id", "score"} <= set(frame.columns)


def test_a_missing_id_is_an_unknown_one(run):
    frame = run.recommend(pd.Series([1, None, 2]), k=2, on_unknown="popular")
    assert frame["fallback"].tolist() == [False, False, True, True, False, False]
    assert run.recommend([1, None], k=2, on_unknown="skip")["user_id"].to_list() == [1, 1]


def test_histories_without_known_items_are_marked_where_they_stand(run):
    frame = run.recommend(histories=[["x"], [1, "x"], []], k=2, on_unknown="popular")
    assert frame["user_id"].to_list() == [0, 0, 1, 1, 2, 2]
    assert frame["fallback"].to_list() == [True, True, False, False, True, True]
    assert 1 not in frame.filter(~pl.col("fallback"))["item_id"]


def test_a_user_who_is_asked_for_twice_is_answered_twice(run):
    frame = run.recommend([3, 1, 3], k=2)
    assert frame["user_id"].to_list() == [3, 3, 1, 1, 3, 3]
    assert frame[:2].equals(frame[4:])


def test_blocks_do_not_show(run, monkeypatch):
    """As many users as one likes: the answer is put together from blocks of a few rows."""
    whole = run.recommend([5, "x", 7, 2, "y", 11], k=3, on_unknown="popular")
    monkeypatch.setattr("recpair.run.ranking.BLOCK_BYTES", 2 * 4 * 20)
    blocks = run.recommend([5, "x", 7, 2, "y", 11], k=3, on_unknown="popular")
    assert blocks.drop("score").equals(whole.drop("score"))
    assert blocks["score"].to_list() == pytest.approx(whole["score"].to_list(), abs=1e-7)


def test_two_threads_may_ask_one_loaded_run(run):
    """Also at their first call, when what is computed once is not there yet."""
    loaded, expected, right = recpair.load(run.folder), run.recommend(k=5), []
    barrier = threading.Barrier(4)

    def ask():
        barrier.wait()
        for _ in range(20):
            same = loaded.recommend(k=5).equals(expected)
            popular = loaded.recommend([1, "x"], k=2, on_unknown="popular")
            right.append(same and len(popular) == 4 and len(loaded.similar_items([1], k=2)) == 2)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 80


def test_a_pickled_run_answers_in_the_process_that_unpickles_it(run, monkeypatch):
    expected, content = run.recommend([1, 2]), pickle.dumps(run)
    monkeypatch.setattr("recpair.boundary._process", None)  # as in a new process
    assert pickle.loads(content).recommend([1, 2]).equals(expected)


def test_a_forked_process_is_refused_instead_of_waiting_for_ever(run, monkeypatch):
    """A real fork would leave this process's threads behind; its sign is another process id."""
    monkeypatch.setattr("recpair.boundary.os.getpid", lambda: -1)
    for call in (lambda: run.recommend([1]), lambda: run.similar_items([1]), lambda: run.score([1], [1])):
        with pytest.raises(RecpairError, match="use the start method spawn"):
            call()

"""Every argument of every public function with every hostile value."""

import datetime
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

import recpair
from recpair import Interactions
from recpair.errors import shown

VALUES: list[Any] = [
    None, True, 0, -1, 3, 2**31, 2**63, 10**30, 10**5000, 1.5, math.nan, math.inf, 1j,
    "", "x", "0", "x" * 5000, "\0", "\ud800", "raise", b"x", Path("x"), datetime.date(2020, 1, 1),
    [], [None], [[]], [[], []], [0], ["0"], [0, 0], [0, "a"], [1.5, None], [math.nan], [True], [2**70], [-1], [b"x"], [object()],
    [[0, 1], [2]], [["0"]], [[None]], [[math.nan]], [{}], [[[0]]], list(range(1000)), {}, {"a": 1}, {0: [1]}, {0},
    object(), object, len, range(3), iter([0]), (0, 1), slice(3),
    np.array([]), np.array([[1]]), np.zeros((2, 2, 2)), np.array(3), np.array([1.5, np.nan]), np.array(["0"]), np.array([None]),
    np.array([1, 2], dtype=np.uint64) + 2**63, np.array(["2020-01-01"], dtype="datetime64[D]"), np.array([1j]),
    np.ma.masked_array([1, 2], mask=[True, False]), np.zeros((12, 12), dtype=bool), np.eye(3),
    pl.Series([]), pl.Series([1.5, None]), pl.Series(["0", None]), pl.Series([[0]]), pl.Series([{"a": 1}]),
    pl.Series([0]).cast(pl.UInt64), pl.Series(["0"]).cast(pl.Categorical), pl.Series([datetime.date(2020, 1, 1)]),
    pl.DataFrame(), pl.DataFrame({"user_id": []}), pl.DataFrame({"user_id": [1], "item_id": [2]}),
    pl.DataFrame({"user_id": [1, None], "item_id": [2, 3]}), pl.DataFrame({"user_id": [[1]], "item_id": [{"a": 2}]}),
    pl.DataFrame({"user_id": [1.5, 2.0], "item_id": [b"x", b"y"]}), pl.DataFrame({"item_id": [1, 1], "x": [object(), object()]}),
    pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [math.nan, math.inf]}),
    pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": ["a", "b"]}), pl.LazyFrame({"user_id": [1], "item_id": [2]}),
    pd.DataFrame(), pd.DataFrame({"user_id": [1, "a"], "item_id": [2, None]}), pd.Series([1, "a"]), pd.Series([0]),
    pd.DataFrame({"user_id": pd.array([1, None], dtype="Int64"), "item_id": [1, 2]}), pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame({("a", "b"): [1]}), pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [pd.NaT, pd.NaT]}),
    sp.csr_matrix((0, 0)), sp.csr_array(np.eye(3)), sp.csr_matrix(np.array([[1j, 0]])), sp.coo_array(np.array([[math.nan, 1.0]])),
    sp.csr_matrix(np.array([[-1, 0], [0, 1]])), sp.csr_array((5, 5)), sp.coo_array(np.ones(3)),
]  # fmt: skip
CONFIG = {"model": {"embedding_dim": 4}, "train": {"epochs": 1}, "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}}
CONFIG |= {"tracking": None, "output": "out"}
CALLS: dict[str, Any] = {
    "recommend(v)": lambda run, small, v: run.recommend(v, k=3),
    "recommend(k=v)": lambda run, small, v: run.recommend([0], k=v),
    "recommend(histories=v)": lambda run, small, v: run.recommend(histories=v, k=3),
    "recommend(items=v)": lambda run, small, v: run.recommend([0], k=3, items=v),
    "recommend(on_unknown=v)": lambda run, small, v: run.recommend([0], k=3, on_unknown=v),
    "recommend(v, skip)": lambda run, small, v: run.recommend(v, k=3, on_unknown="skip"),
    "recommend(v, popular)": lambda run, small, v: run.recommend(v, k=3, on_unknown="popular"),
    "recommend(exclude_seen=v)": lambda run, small, v: run.recommend([0], k=3, exclude_seen=v),
    "recommend(titles=v)": lambda run, small, v: run.recommend([0], k=3, titles=v),
    "similar_items(v)": lambda run, small, v: run.similar_items(v, k=3),
    "similar_items(k=v)": lambda run, small, v: run.similar_items([0], k=v),
    "score(v, …)": lambda run, small, v: run.score(v, [1]),
    "score(…, v)": lambda run, small, v: run.score([0], v),
    "load(v)": lambda run, small, v: recpair.load(v),
    "Run.open(v)": lambda run, small, v: recpair.Run.open(v),
    "load_config(v)": lambda run, small, v: recpair.load_config(v),
    "load_config(overrides=v)": lambda run, small, v: recpair.load_config(CONFIG, v),
    "evaluate(v)": lambda run, small, v: recpair.evaluate(v),
    "evaluate(overrides=v)": lambda run, small, v: recpair.evaluate(run, v, data=small),
    "evaluate(data=v)": lambda run, small, v: recpair.evaluate(run, data=v),
    "fit(v)": lambda run, small, v: recpair.fit(v, data=small),
    "fit(overrides=v)": lambda run, small, v: recpair.fit(CONFIG, v, data=small),
    "fit(data=v)": lambda run, small, v: recpair.fit(CONFIG, data=v),
    "fit(items=v)": lambda run, small, v: recpair.fit(CONFIG, data=small, items=v),
    "from_polars(v)": lambda run, small, v: Interactions.from_polars(v),
    "from_polars(columns=v)": lambda run, small, v: Interactions.from_polars(small, columns=v),
    "from_pandas(v)": lambda run, small, v: Interactions.from_pandas(v),
    "from_scipy(v)": lambda run, small, v: Interactions.from_scipy(v),
    "read(v)": lambda run, small, v: Interactions.read(v),
}  # fmt: skip
CASES = list(product(CALLS, range(len(VALUES))))


def label(case: tuple[str, int]) -> str:
    return f"{case[0]} v={case[1]}"


@pytest.fixture(scope="module")
def run(tmp_path_factory, small):
    return recpair.fit(CONFIG | {"output": str(tmp_path_factory.mktemp("run") / "run")}, data=small)


def test_calls(run, small, verdict, chosen, undrawn):
    assert len(CASES) >= 150
    found = []
    for case in chosen(CASES, 250, label):
        call, number = case
        problem = verdict(
            label(case), lambda call=call, number=number: CALLS[call](run, small, VALUES[number]), [Path("out")]
        )
        found.append(problem and f"{problem} ({str(type(VALUES[number]))[8:-2]} {shown(VALUES[number], 60)})")
    assert not (problems := "\n".join(filter(None, found))), problems

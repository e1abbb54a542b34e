"""Recommendations from a run: whom, what, and in which form."""

import gc
import shutil
import weakref
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import recpair
from recpair.errors import RunError, UnknownIdError
from recpair.experiment import fit as experiment
from recpair.run.run import Run
from recpair.seeds import isolated


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Users u0 … u39 and items i0 … i39 on a checkerboard; i5 is everybody's with odd number, and popular."""
    user, item = np.nonzero(np.add.outer(np.arange(40), np.arange(40)) % 2 == 0)
    frame = pl.DataFrame({"user_id": [f"u{u}" for u in user], "item_id": [f"i{i}" for i in item]})
    items = pl.DataFrame({"item_id": [f"i{i}" for i in range(40)], "title": [f"Film {i}" for i in range(40)]})
    config = {
        "model": {"embedding_dim": 8},
        "train": {"epochs": 30, "learning_rate": 0.05},
        "sampler": {"batch_size": 256},
        "evaluate": {"metrics": ["ndcg"], "cutoffs": [5], "monitor": "ndcg@5"},
        "tracking": None,
        "output": str(tmp_path_factory.mktemp("serving") / "run"),
    }
    return recpair.fit(config, data=frame, items=items)


def seen(run, user):
    train = run.recommender.train
    return set(train.vocabulary.items.of(train.items_of(int(train.vocabulary.users.indices([user])[0]))))


def test_the_k_best_in_order_and_without_what_was_seen(run):
    frame = run.recommend(["u3", "u0"], k=4)
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["user_id"].to_list() == ["u3"] * 4 + ["u0"] * 4
    assert frame["rank"].to_list() == [1, 2, 3, 4] * 2
    for user in ("u3", "u0"):
        own = frame.filter(pl.col("user_id") == user)
        assert own["score"].is_sorted(descending=True)
        assert not seen(run, user) & set(own["item_id"])


def test_scores_are_those_of_the_model(run):
    frame = run.recommend(["u3"], k=3)
    again = run.score(["u3"] * 3, frame["item_id"])
    assert again["score"].to_list() == pytest.approx(frame["score"].to_list())
    assert again.columns == ["user_id", "item_id", "score"]


def test_everybody_is_asked_for_by_default(run):
    frame = run.recommend(k=1)
    assert frame["user_id"].n_unique() == 40


def test_seen_items_come_back_on_request(run):
    frame = run.recommend(["u2"], k=40, exclude_seen=False)
    assert set(frame["item_id"]) == {f"i{i}" for i in range(40)}
    short = run.recommend(["u2"], k=40)
    assert len(short) == 40 - len(seen(run, "u2"))


def test_only_some_items_are_ranked(run):
    frame = run.recommend(["u2"], k=2, items=["i1", "i3", "i7"])
    assert set(frame["item_id"]) <= {"i1", "i3", "i7"}
    with pytest.raises(RunError, match="there are 3 items"):
        run.recommend(["u2"], k=4, items=["i1", "i3", "i7"])
    with pytest.raises(UnknownIdError, match="unknown item_id: x"):
        run.recommend(["u2"], k=1, items=["x"])


def test_unknown_users_are_an_error_skipped_or_given_the_popular(run):
    asked = ["u1", "stranger", "u2"]
    with pytest.raises(UnknownIdError, match="unknown user_id: stranger"):
        run.recommend(asked)
    assert run.recommend(asked, k=2, on_unknown="skip")["user_id"].to_list() == ["u1", "u1", "u2", "u2"]
    popular = run.recommend(asked, k=2, on_unknown="popular").filter(pl.col("user_id") == "stranger")
    train = run.recommender.train
    order = np.lexsort((np.arange(40), -train.item_counts))[:2]
    assert popular["item_id"].to_list() == train.vocabulary.items.of(order).to_list()
    with pytest.raises(RunError, match="on_unknown is 'ignore'"):
        run.recommend(asked, on_unknown="ignore")


def test_a_history_in_place_of_a_user(run):
    frame = run.recommend(histories=[["i0", "i2", "i4", "i6"], ["i1", "i3", "i5"]], k=5)
    assert frame["user_id"].to_list() == [0] * 5 + [1] * 5
    even = frame.filter(pl.col("user_id") == 0)["item_id"].str.slice(1).cast(pl.Int32)
    assert (even % 2 == 0).sum() >= 4
    assert not {"i0", "i2", "i4", "i6"} & set(frame.filter(pl.col("user_id") == 0)["item_id"])


def test_histories_that_say_nothing(run):
    with pytest.raises(UnknownIdError, match="unknown item_id: x"):
        run.recommend(histories=[["i0", "x"]])
    with pytest.raises(UnknownIdError, match=r"histories\[1\] is empty"):
        run.recommend(histories=[["i0"], []])
    assert run.recommend(histories=[["x"], ["i0"]], k=2, on_unknown="skip")["user_id"].to_list() == [1, 1]
    both = run.recommend(histories=[["x"], ["i0"]], k=2, on_unknown="popular")
    assert both["user_id"].to_list() == [0, 0, 1, 1]
    with pytest.raises(RunError, match="not both"):
        run.recommend(["u1"], histories=[["i0"]])


def test_similar_items_are_the_nearest_by_cosine(run):
    frame = run.similar_items(["i4"], k=5)
    assert frame.columns == ["item_id", "similar_item_id", "score", "rank"]
    unit = torch.nn.functional.normalize(run.model.item_embedding.weight.detach(), dim=1)
    items = run.recommender.train.vocabulary.items
    cosine = (unit @ unit[items.indices(["i4"])[0]]).numpy()
    cosine[items.indices(["i4"])[0]] = -2
    best = np.argsort(-cosine, kind="stable")[:5]
    assert frame["similar_item_id"].to_list() == items.of(best).to_list()
    assert frame["score"].to_list() == pytest.approx(cosine[best].tolist(), abs=1e-6)
    assert (frame["similar_item_id"].str.slice(1).cast(pl.Int32) % 2 == 0).all()


def test_titles_come_along(run):
    frame = run.recommend(["u1"], k=2, titles=True)
    assert frame["title"].to_list() == [f"Film {i[1:]}" for i in frame["item_id"]]
    similar = run.similar_items(["i1"], k=2, titles=True)
    assert similar["title"].to_list() == [f"Film {i[1:]}" for i in similar["similar_item_id"]]


@pytest.mark.parametrize("kind", ["series", "frame"])
def test_pandas_in_pandas_out(run, kind):
    asked = pd.Series(["u1", "u2"]) if kind == "series" else pd.DataFrame({"user_id": ["u1", "u2"]})
    frame = run.recommend(asked, k=2)
    assert isinstance(frame, pd.DataFrame)
    assert frame["user_id"].tolist() == ["u1", "u1", "u2", "u2"]
    polars = run.recommend(pl.DataFrame({"user_id": ["u1", "u2"]}), k=2)
    assert polars["item_id"].to_list() == frame["item_id"].tolist()


def test_a_loaded_run_answers_as_the_fitted_one(run, tmp_path):
    """Loading needs nothing but the folder, wherever it lies, and leaves the caller's generator alone."""
    shutil.copytree(run.folder, tmp_path / "elsewhere")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    loaded = recpair.load(tmp_path / "elsewhere")
    assert torch.equal(torch.rand(1), expected)
    assert loaded.recommend(k=3).equals(run.recommend(k=3))
    assert loaded.per_user.equals(run.per_user)
    assert loaded.per_user.columns[:2] == ["user_id", "train_events"]
    assert "u3" in repr(loaded.recommend(["u3"], k=1))
    assert repr(loaded).startswith("Run(")


def test_nothing_that_is_loaded_is_a_pickle(run):
    """No file of a run folder has the opcodes of a pickle or a zip of them."""
    for path in run.folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes()[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"), path


def test_integer_ids_are_found_by_their_text_and_come_back_as_integers(checkerboard, quick):
    fitted = recpair.fit(quick, data=checkerboard)
    as_text, as_numbers = fitted.recommend(["3"], k=2), fitted.recommend([3], k=2)
    assert as_text["item_id"].to_list() == as_numbers["item_id"].to_list()
    assert as_numbers["item_id"].dtype == pl.Int64


def test_popularity_has_no_item_vectors(checkerboard, quick):
    fitted = recpair.fit(quick, ["model=popularity"], data=checkerboard)
    assert fitted.metrics["epochs"] == 0
    with pytest.raises(RunError, match="no item vectors"):
        fitted.similar_items([3])
    with isolated(0):
        assert len(fitted.recommend([3], k=2)) == 2


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda run: run.recommend("u1"), "user_id is 'u1'; expected a list of ids"),
        (lambda run: run.recommend(pd.DataFrame({"uid": ["u1"]})), "no column 'user_id'"),
        (lambda run: run.recommend(pl.DataFrame({"uid": ["u1"]})), "no column 'user_id'"),
        (lambda run: run.recommend(["u1"], k=2.5), "k is 2.5"),
        (lambda run: run.recommend(histories=["i1"]), r"histories\[0\] is 'i1'; expected a list"),
        (lambda run: run.similar_items(None), "item_id is None; expected a list"),
        (lambda run: run.score(None, ["i1"]), "user_id is None; expected a list"),
    ],
)
def test_what_is_no_list_of_ids_is_named(run, ask, message):
    with pytest.raises(RunError, match=message):
        ask(run)


def test_a_model_that_is_opened_is_not_held_twice(checkerboard, quick, monkeypatch):
    """EASE of 41,000 items has 7 GB of weights: what was trained is gone when the run folder is read."""
    made, build, alive = [], experiment.build, []

    def noting(*arguments):
        components = build(*arguments)
        made.append(weakref.ref(components.model))
        return components

    def opening(folder):
        gc.collect()
        alive.append(made[0]() is not None)
        return Run.open(folder)

    monkeypatch.setattr(experiment, "build", noting)
    monkeypatch.setattr(experiment, "Run", SimpleNamespace(open=opening))
    quick["model"] = {"name": "ease"}
    recpair.fit({name: quick[name] for name in ("split", "model", "evaluate", "tracking", "output")}, data=checkerboard)
    assert alive == [False]

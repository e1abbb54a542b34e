"""Ids without a training event: unknown when asked for, and never recommended."""

import logging
import threading

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.errors import RunError, UnknownIdError
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import MODELS, FittedModel
from recpair.run.recommend import Recommender

USERS, ITEMS = 12, 15
UNTRAINED = [0, 4, 14]  # items; user 3 has no training event either


def interactions():
    """User u has the items i with (u + i) % 3 == 0, but none of those without training events."""
    user, item = np.nonzero(np.add.outer(np.arange(USERS), np.arange(ITEMS)) % 3 == 0)
    kept = ~np.isin(item, UNTRAINED) & (user != 3)
    ids = Vocabulary(
        Ids("user", pl.Series("user_id", np.arange(USERS) + 100)),
        Ids("item", pl.Series("item_id", [f"i{i:02}" for i in range(ITEMS)])),
    )
    days = np.arange(kept.sum()).astype("datetime64[D]") + 20_000
    return Interactions.from_indices(user[kept], item[kept], days, vocabulary=ids)


def recommender(name, **options):
    train = interactions()
    torch.manual_seed(0)
    model = ALL_MODELS[name](train, **options)
    if isinstance(model, FittedModel):
        model.fit(train)
    for table in model.parameters():  # scores that would come first
        if table.shape[:1] == (ITEMS,):
            table.data[UNTRAINED] = 50.0
    return Recommender(model.eval(), train)


@pytest.fixture(scope="module")
def mf():
    return recommender("mf", embedding_dim=4)


UNKNOWN_ITEMS = {"i00", "i04", "i14"}
RECBOLE = ["recbole/EASE", "recbole/ItemKNN", "recbole/LightGCN", "recbole/MultiVAE", "recbole/GRU4Rec"]


@pytest.mark.parametrize("name", [*MODELS, *RECBOLE])
def test_no_model_recommends_an_item_without_a_training_event(name):
    options = {"history_length": 5} if name == "recbole/GRU4Rec" else {}
    answers = recommender(name, **options)
    for frame in (
        answers.recommend(k=12, exclude_seen=False),
        answers.recommend(histories=[["i01", "i02"]], k=12, exclude_seen=False),
        answers.recommend([103, 999], k=12, on_unknown="popular"),
        answers.recommend(histories=[["x"]], k=12, on_unknown="popular"),
    ):
        assert set(frame["item_id"]) == {f"i{i:02}" for i in range(ITEMS)} - UNKNOWN_ITEMS


@pytest.mark.parametrize("name", ["mf", "lightgcn", "sasrec", "ease", "item_knn", "recbole/EASE", "recbole/ItemKNN"])
def test_no_item_without_a_training_event_is_similar(name):
    frame = recommender(name).similar_items(["i01", "i02"], k=11)
    assert len(frame) > 0
    assert not UNKNOWN_ITEMS & set(frame["similar_item_id"])


def test_a_user_without_a_training_event_is_an_error_skipped_or_given_the_popular_items(mf):
    with pytest.raises(UnknownIdError) as error:
        mf.recommend([101, 103, 999])
    assert str(error.value) == (
        "unknown user_id: 103, 999 (11 users have training events; in the data set without one: 103); "
        "check the ids, or set on_unknown to skip or popular"
    )
    assert mf.recommend([101, 103], k=2, on_unknown="skip")["user_id"].to_list() == [101, 101]
    popular = mf.recommend([103, 999], k=3, on_unknown="popular")
    counts = mf.train.item_counts.astype(float)
    best = mf.train.vocabulary.items.of(np.argsort(-counts, kind="stable")[:3]).to_list()
    assert popular["item_id"].to_list() == best * 2
    with pytest.raises(UnknownIdError, match="unknown user_id: 103"):
        mf.score([103], ["i01"])


def test_all_users_are_those_with_a_training_event(mf, caplog):
    with caplog.at_level(logging.INFO, "recpair"):
        frame = mf.recommend(k=1)
    assert frame["user_id"].to_list() == [100 + u for u in range(USERS) if u != 3]
    assert caplog.messages == ["users without a training event are left out (1 of 12)"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda mf: mf.recommend([101], items=["i01", "i04"], k=1),
        lambda mf: mf.recommend(histories=[["i01"], ["i02", "i04"]], k=1),
        lambda mf: mf.similar_items(["i04"], k=1),
        lambda mf: mf.score([101], ["i04"]),
    ],
)
def test_an_item_without_a_training_event_is_unknown(mf, ask):
    with pytest.raises(UnknownIdError, match=r"unknown item_id: i04 \(12 items have training events; in the data set"):
        ask(mf)


def test_such_items_of_a_history_are_left_out(mf):
    with_it = mf.recommend(histories=[["i01", "i04"], ["i04"]], k=3, on_unknown="skip")
    assert with_it.equals(mf.recommend(histories=[["i01"]], k=3))


def test_k_counts_the_items_with_training_events(mf):
    with pytest.raises(RunError, match="k is 13, but there are 12 items to rank; choose k between 1 and 12"):
        mf.recommend([101], k=13)
    with pytest.raises(RunError, match="k is 12, but an item has 11 others; choose k between 1 and 11"):
        mf.similar_items(["i01"], k=12)


def test_a_fitted_run_treats_a_user_of_the_test_part_alone_as_unknown(checkerboard, quick):
    """The issue's case: user 900 has events in the test part only."""
    late = pl.DataFrame({"user_id": [900, 900], "item_id": [1, 3], "split": ["test", "test"]})
    run = recpair.fit(quick, data=pl.concat([checkerboard, late]))
    with pytest.raises(UnknownIdError, match="unknown user_id: 900"):
        run.recommend([900])
    assert run.recommend([900], on_unknown="skip").is_empty()
    both = run.recommend([900, 999], k=5, on_unknown="popular")
    assert both["item_id"][:5].to_list() == both["item_id"][5:].to_list()


def test_the_similar_items_of_linear_models_are_rows_of_their_matrices():
    for name in ("ease", "item_knn"):
        answers = recommender(name)
        model, ids = answers.model, answers.train.vocabulary.items
        weights = np.zeros((ITEMS, ITEMS), dtype=np.float32)
        if name == "ease":
            weights[:] = model.weights.numpy()
        else:
            np.add.at(weights, (np.arange(ITEMS)[:, None], model.neighbours.numpy()), model.weights.numpy())
        for item in ("i01", "i05"):
            row = weights[int(ids.find([item])[0])].copy()
            row[UNTRAINED] = 0
            best = [i for i in np.argsort(-row, kind="stable") if row[i] != 0][:4]
            frame = answers.similar_items([item], k=4)
            assert frame["similar_item_id"].to_list() == ids.of(np.array(best)).to_list()
            assert frame["score"].to_list() == row[best].tolist()


def test_models_without_vectors_and_weights_say_so():
    for name in ("popularity", "neumf"):
        with pytest.raises(RunError, match=r"has no item vectors and no item–item weights .*; use a model such as mf"):
            recommender(name).similar_items(["i01"], k=2)


def test_threads_do_not_mix_the_histories_of_a_borrowed_encoder():
    """RecBole's autoencoders read histories from the model's attributes, which a history replaces for a call."""
    answers = recommender("recbole/MultiVAE")
    asked = [[["i01", "i02"]], [["i05"], ["i06", "i07"], ["i08"]]]
    expected = [answers.recommend(histories=histories, k=5) for histories in asked]
    users = answers.recommend(k=5)
    wrong, barrier = [], threading.Barrier(3)

    def ask(call, right):
        barrier.wait()
        wrong.extend(None for _ in range(30) if not call().equals(right))

    calls = [lambda h=h: answers.recommend(histories=h, k=5) for h in asked] + [lambda: answers.recommend(k=5)]
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(calls, [*expected, users], strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

"""Sorting, deduplication and item lists against naive versions and NumPy's own."""

from functools import partial
from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data import item_lists, kernels, splitting, threads
from recpair.data.dataset import Dataset
from recpair.data.events import Events
from recpair.data.filtering import filter_events
from recpair.data.indexing import Index, by_user_and_time, indexed
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.data.splitting import TEST, TRAIN, VALID, labels_by_user
from recpair.data.threads import blocks_of_users, on_threads
from recpair.data.vocabulary import Vocabulary

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(-3, 3)), min_size=1, max_size=60)


def frame_of(events, *columns):
    frame = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row")
    return frame.with_columns(rating=pl.int_range(len(events)).cast(pl.Float32)).select("user_id", "item_id", *columns)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(0, 2**32), st.integers(1, 500))
@settings(deadline=None)
def test_events_are_sorted_by_user_and_time_and_keep_their_order(sizes, seed, n_times):
    """As NumPy's lexsort, for segments on both sides of the length that is sorted by insertion."""
    generator = np.random.default_rng(seed)
    user = generator.permutation(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes))
    time = generator.integers(-n_times, n_times, size=len(user))
    item = generator.integers(9, size=len(user)).astype(np.int32)
    indptr, rows, sorted_item, sorted_time = by_user_and_time(user, item, time, len(sizes))
    expected = np.lexsort((time, user))
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(sorted_item, item[expected])
    np.testing.assert_array_equal(sorted_time, time[expected])
    np.testing.assert_array_equal(np.diff(indptr), sizes)
    np.testing.assert_array_equal(Interactions.order(user, time), expected)
    np.testing.assert_array_equal(Interactions.order(user, None), np.argsort(user, kind="stable"))
    np.testing.assert_array_equal(Interactions.order(user[expected], sorted_time), np.arange(len(user)))


@given(EVENTS, st.sampled_from(["first", "last", "count"]), st.booleans(), st.booleans(), st.booleans())
@settings(deadline=None)
def test_one_event_of_each_pair_is_kept(events, keep, timed, as_text, weighted):
    frame = frame_of(events, *(["timestamp"] if timed else []), "rating")
    if weighted:
        frame = frame.with_columns(weight=pl.col("rating") + 0.5)
    if as_text:
        frame = frame.with_columns(pl.format("u{}", "user_id").alias("user_id"))
    kept: dict = {}
    for row, (user, item, _) in sorted(enumerate(events), key=lambda entry: entry[1][2] if timed else 0):
        if keep == "last" or (user, item) not in kept:
            kept[user, item] = row
    rows = sorted(kept.values())
    found, _ = filter_events(Events(frame), deduplicate=keep)
    expected = frame[rows]
    if keep == "count":
        given_weights = frame["weight"].to_list() if "weight" in frame.columns else [1.0] * len(events)
        weights = [
            sum(weight for weight, other in zip(given_weights, events, strict=True) if other[:2] == events[row][:2])
            for row in rows
        ]
        expected = expected.with_columns(pl.Series("weight", weights, dtype=pl.Float32))
    assert found.frame.equals(expected)
    made, anew = Dataset.from_events(found).interactions, Dataset.from_events(Events(found.frame)).interactions
    for name in ("user", "item", "time", "rating", "weight"):
        np.testing.assert_array_equal(getattr(made, name), getattr(anew, name))
    assert made.vocabulary.users.values.equals(anew.vocabulary.users.values)


@given(EVENTS, st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None)
def test_an_index_that_was_filtered_is_that_of_the_filtered_frame(events, user_core, item_core):
    whole = Index.of(frame_of(events, "timestamp", "rating"), "last")
    before = whole.item.copy(), whole.rows.copy()
    found = whole.core(user_core, item_core)
    if len(found):
        anew = Index.of(found.frame)
        for name in ("indptr", "item", "time", "user"):
            np.testing.assert_array_equal(getattr(found, name), getattr(anew, name))
        np.testing.assert_array_equal(found.column("rating"), anew.column("rating"))
        assert found.user_ids.equals(anew.user_ids)
        assert found.item_ids.equals(anew.item_ids)
    np.testing.assert_array_equal(whole.item, before[0])
    np.testing.assert_array_equal(whole.rows, before[1])


def test_events_can_be_filtered_again():
    given = Events(frame_of([(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 2, 3), (1, 0, 5)], "timestamp"))
    once, _ = filter_events(given)
    twice, report = filter_events(once, end=4, user_core=2)
    assert report == [("read", 4), ("end", 3), ("deduplicate", 3), ("core", 2)]
    assert twice.frame.rows() == [(0, 0, 0), (0, 1, 1)]
    assert once.frame.rows() == [(0, 0, 0), (0, 1, 1), (1, 2, 3), (1, 0, 5)]
    assert len(Dataset.from_events(once.of_frame(once.frame[1:])).interactions) == 3


def test_events_that_are_sorted_already_are_copied():
    user, item, time = np.zeros(3, dtype=np.int32), np.arange(3, dtype=np.int32), np.arange(3)
    made = Interactions.from_indices(user, item, time, vocabulary=Vocabulary.range(1, 3))
    user[:], item[:], time[:] = 9, 9, 9
    assert (made.user.tolist(), made.item.tolist(), made.time.tolist()) == ([0, 0, 0], [0, 1, 2], [0, 1, 2])


def test_times_between_seconds_order_events():
    user, time = np.zeros(3, dtype=np.int64), np.array([0.7, 0.2, 0.5])
    made = Interactions.from_indices(user, np.arange(3), time, vocabulary=Vocabulary.range(1, 3))
    assert made.item.tolist() == [1, 2, 0]


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1), st.booleans())
@settings(deadline=None)
def test_indices_follow_the_ascending_order_of_ids(ids, near):
    ids = [i % 1000 - 500 for i in ids] if near else ids  # by a table, or by a sort
    distinct, index = indexed(pl.Series("user_id", ids))
    expected, inverse = np.unique(ids, return_inverse=True)
    assert distinct.to_list() == expected.tolist()
    assert index.tolist() == inverse.tolist()
    assert index.dtype == np.int32


@given(st.lists(st.text(max_size=3), min_size=1))
@settings(deadline=None)
def test_indices_of_text_follow_its_code_points(ids):
    distinct, index = indexed(pl.Series("user_id", ids))
    assert distinct.to_list() == sorted(set(ids))
    assert [distinct[i] for i in index.tolist()] == ids
    assert index.dtype == np.int32


@given(st.lists(st.one_of(EVENTS, st.just([])), min_size=1, max_size=3), st.sampled_from([1, 7, 2**20]))
@settings(deadline=None)
def test_item_lists_are_the_distinct_items_of_all_parts(parts, block):
    made = []
    for part in parts:
        user, item, time = np.array(part, dtype=np.int64).reshape(-1, 3).T
        made.append(Interactions.from_indices(user, item, time, vocabulary=Vocabulary.range(5, 6)))
    with mock.patch.object(item_lists, "blocks_of_users", lambda indptr: blocks_of_users(indptr, block)):
        lists = ItemLists.of_users(*made)
    for user in range(5):
        expected = np.unique(np.concatenate([part.items_of(user) for part in made]))
        np.testing.assert_array_equal(lists.items[lists.indptr[user] : lists.indptr[user + 1]], expected)
        own = slice(made[0].indptr[user], made[0].indptr[user + 1])
        np.testing.assert_array_equal(made[0].sorted_items[own], np.sort(made[0].items_of(user)))
    assert lists.items.dtype == np.int32
    assert lists.indptr.dtype == np.int64


@given(EVENTS, st.data())
@settings(deadline=None)
def test_a_selection_is_sorted_in_any_order_of_its_rows(events, data):
    user, item, time = np.array(events).T
    rating = np.arange(len(events), dtype=np.float32)
    whole = Interactions.from_indices(user, item, time, rating, vocabulary=Vocabulary.range(5, 6))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events))))
    rows = np.flatnonzero(mask)
    shuffled = np.array(data.draw(st.permutations(rows.tolist())), dtype=np.int64)
    for chosen in (mask, rows, shuffled, rows - len(events), np.where(rows % 2, rows, rows - len(events))):
        found = whole.select(chosen)
        for name in ("user", "time") if chosen is shuffled else ("user", "item", "time"):
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name)[mask])
        assert sorted(found.rating) == sorted(whole.rating[mask])


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("block", [1, 40, 2**20])
def test_labels_count_from_the_end_of_each_user(shuffled, block, monkeypatch):
    monkeypatch.setattr(splitting, "blocks_of_users", lambda indptr: blocks_of_users(indptr, block))
    monkeypatch.setattr(threads, "SMALL", 0)
    generator = np.random.default_rng(0)
    sizes = generator.integers(0, 80, size=50)
    n_test, n_valid = sizes // 4, sizes // 3
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    draws = np.random.default_rng(1) if shuffled else None
    key = np.random.default_rng(1).random(indptr[-1]) if shuffled else np.arange(indptr[-1])
    labels = labels_by_user(indptr, draws, n_valid, n_test)
    for user in range(50):
        own = slice(indptr[user], indptr[user + 1])
        in_order = labels[own][np.argsort(key[own])]
        expected = np.repeat(
            [TRAIN, VALID, TEST], [sizes[user] - n_valid[user] - n_test[user], n_valid[user], n_test[user]]
        )
        np.testing.assert_array_equal(in_order, expected)


def test_the_sum_of_pairs_does_not_follow_their_order():
    generator = np.random.default_rng(0)
    user, item = generator.integers(9, size=100).astype(np.int32), generator.integers(50, size=100).astype(np.int32)
    users, order = np.arange(9) < 5, generator.permutation(100)
    whole = kernels.sum_of_pairs(user, item, users)
    assert whole == kernels.sum_of_pairs(user[order], item[order], users)
    assert whole == kernels.sum_of_pairs(user[user < 5], item[user < 5], users)
    assert whole != kernels.sum_of_pairs(user, np.roll(item, 1), users)


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 30))
def test_blocks_of_users_cover_all_users_once(sizes, n_events):
    indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    blocks = blocks_of_users(indptr, n_events)
    assert [user for first, end in blocks for user in range(first, end)] == list(range(len(sizes)))
    assert all(indptr[end] - indptr[first] < n_events + max(sizes, default=1) + 1 for first, end in blocks)


def test_results_of_threads_are_in_the_order_of_their_tasks():
    tasks = [partial(pow, base, 2) for base in range(50)]
    assert on_threads(tasks, 10**9) == on_threads(tasks, 0) == [base**2 for base in range(50)]
    with pytest.raises(ZeroDivisionError):
        on_threads([partial(divmod, 1, 0)] * 3, 10**9)

"""Filters, splits, noise and counts against naive loops and their definitions."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.dataset import Dataset
from recpair.data.describe import describe
from recpair.data.events import Events
from recpair.data.filtering import filter_events
from recpair.data.noise import add_noise
from recpair.data.splitting import SPLITS, TEST, TRAIN, VALID, apply_split, leave_last, predefined, ratio, temporal
from recpair.data.times import Clock
from recpair.errors import ConfigError, DataError

PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60)


def events(pairs, **columns) -> Events:
    user, item = zip(*pairs, strict=True)
    return Events(pl.DataFrame({"user_id": user, "item_id": item, **columns}))


def random_events(n_users=40, n_items=60, n=1500, seed=0) -> Events:
    generator = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user_id": generator.integers(n_users, size=n),
            "item_id": generator.integers(n_items, size=n),
            "timestamp": generator.integers(1_000_000, size=n),
        }
    )
    return filter_events(Events(frame))[0]


@pytest.fixture
def dataset():
    return Dataset.from_events(random_events())


@given(PAIRS, st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None)
def test_the_core_is_what_remains_when_the_sparse_are_removed_one_by_one(pairs, user_core, item_core):
    pairs = sorted(set(pairs))
    left = list(pairs)
    while True:
        bad = [
            p
            for p in left
            if sum(q[0] == p[0] for q in left) < user_core or sum(q[1] == p[1] for q in left) < item_core
        ]
        if not bad:
            break
        left.remove(bad[0])
    if left:
        kept, _ = filter_events(events(pairs), user_core=user_core, item_core=item_core)
        assert sorted(kept.frame.rows()) == left
    else:
        with pytest.raises(DataError, match=r"filter\.core left none"):
            filter_events(events(pairs), user_core=user_core, item_core=item_core)


@pytest.mark.parametrize(("keep", "times"), [("first", [1, 7]), ("last", [5, 7]), ("count", [1, 7])])
def test_duplicates(keep, times):
    given_events = events([(1, 1), (1, 2), (1, 1), (1, 1)], timestamp=[5, 7, 1, 3])
    kept, report = filter_events(given_events, deduplicate=keep)
    assert sorted(kept.frame["timestamp"].to_list()) == times
    assert report == [("read", 4), ("deduplicate", 2)]
    if keep == "count":
        assert dict(kept.frame.select("item_id", "weight").rows()) == {1: 3.0, 2: 1.0}
    assert len(filter_events(given_events, deduplicate="keep")[0]) == 4


def test_rating_and_date_thresholds():
    stars = events([(1, 1), (1, 2), (2, 1)], rating=[1.0, 4.0, 5.0], timestamp=[0, 86_400, 3 * 86_400])
    stars = replace(stars, clock=Clock(1))
    assert filter_events(stars, min_rating=4)[0].frame["rating"].to_list() == [4.0, 5.0]
    assert len(filter_events(stars, start="1970-01-02", end="1970-01-04")[0]) == 1
    assert len(filter_events(stars, end=86_401)[0]) == 2
    with pytest.raises(DataError, match=r"filter\.min_rating left none of 3 events"):
        filter_events(stars, min_rating=6)
    with pytest.raises(DataError, match=r"filter\.min_rating needs a rating column"):
        filter_events(events([(1, 1)]), min_rating=3)
    with pytest.raises(ConfigError, match=r"filter\.start is 'tuesday'"):
        filter_events(stars, start="tuesday")


@pytest.mark.parametrize("order", ["random", "time"])
def test_a_ratio_by_user_gives_everybody_their_shares(dataset, order):
    labels = ratio(dataset, fractions=(0.7, 0.1, 0.2), order=order)
    counts = np.array([np.bincount(labels[dataset.interactions.user == u], minlength=3) for u in range(40)])
    n = counts.sum(1)
    assert (counts[:, TEST] == np.maximum(1, np.floor(0.2 * n + 1e-9))).all()
    assert (counts[:, VALID] == np.maximum(1, np.floor(0.1 * n + 1e-9))).all()
    if order == "time":
        for u in range(40):
            own = labels[dataset.interactions.user == u]
            assert own.tolist() == sorted(own.tolist())  # train 0, valid 1, test 2, in order of time
    assert (ratio(dataset, order=order) == ratio(dataset, order=order)).all()
    if order == "random":
        assert (ratio(dataset) != ratio(dataset, seed=1)).any()


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=6),
    st.one_of(
        st.sampled_from([(0.1, 0.1, 0.8), (0.98, 0.01, 0.01), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (1e-9, 1 - 1e-9, 0.0)]),
        st.tuples(st.floats(1e-6, 1), st.floats(0, 1), st.floats(0, 1)),
    ),
    st.sampled_from(["random", "time"]),
)
@settings(deadline=None)
def test_a_user_with_three_events_has_one_in_each_part(sizes, fractions, order):
    fractions = tuple(np.array(fractions) / sum(fractions))
    pairs = [(user, item) for user, size in enumerate(sizes) for item in range(size)]
    dataset = Dataset.from_events(events(pairs, timestamp=list(range(len(pairs)))))
    labels = ratio(dataset, fractions=fractions, order=order)
    for user, size in enumerate(sizes):
        counts = np.bincount(labels[dataset.interactions.user == user], minlength=3)
        for count, fraction in zip(counts, fractions, strict=True):
            assert count >= (size >= 3 and fraction > 0)
            assert fraction > 0 or count == 0
        wanted = [max(int(size * fraction + 1e-9), int(fraction > 0)) for fraction in fractions[1:]]
        if size >= 3 and sum(wanted) < size:  # rounding leaves something to train on: nothing gives way
            assert counts.tolist()[1:] == wanted


def test_a_ratio_over_all_events_has_exact_sizes(dataset):
    labels = ratio(dataset, by="all", fractions=(0.5, 0.2, 0.3))
    n = len(labels)
    assert np.bincount(labels).tolist()[1:] == [int(0.2 * n + 1e-9), int(0.3 * n + 1e-9)]


def test_leave_last_takes_the_latest(dataset):
    labels = leave_last(dataset, n=2)
    for u in range(40):
        assert labels[dataset.interactions.user == u].tolist()[-5:] == [TRAIN, VALID, VALID, TEST, TEST]
    short = Dataset.from_events(events([(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)], timestamp=[1, 2, 1, 2, 3]))
    assert leave_last(short).tolist() == [TRAIN, TRAIN, TRAIN, VALID, TEST]


def test_leave_last_validates_on_a_share_of_the_users(dataset):
    whole, part = leave_last(dataset), leave_last(dataset, valid_users=0.5)
    np.testing.assert_array_equal(part == TEST, whole == TEST)
    kept = part == VALID
    np.testing.assert_array_equal(whole[kept], VALID)
    assert (part[(whole == VALID) & ~kept] == TRAIN).all()
    assert 10 <= kept.sum() <= 30  # of 40 users
    assert (part != leave_last(dataset, valid_users=0.5, seed=1)).any()


def test_a_temporal_split_never_trains_on_the_future(dataset):
    for options in ({}, {"valid_from": 600_000, "test_from": 800_000}):
        labels, time = temporal(dataset, **options), dataset.interactions.time
        assert time[labels == TRAIN].max() < time[labels == VALID].min()
        assert time[labels == VALID].max() < time[labels == TEST].min()
    assert (time[labels == TEST] >= 800_000).all()


def test_a_predefined_split_is_taken_as_it_is_and_may_lend_a_validation_part():
    words = ["train"] * 10 + ["test"] * 2
    source = events([(u, i) for u in range(2) for i in range(6)], split=words[:5] + ["test"] + words[:5] + ["test"])
    dataset = Dataset.from_events(source)
    labels = predefined(dataset, valid_fraction=0.2)
    assert (labels == TEST).tolist() == (dataset.split == "test").to_list()
    assert [(labels[dataset.interactions.user == u] == VALID).sum() for u in range(2)] == [1, 1]
    assert (predefined(dataset, valid_fraction=0) == VALID).sum() == 0
    with pytest.raises(DataError, match="holds 'test'; expected train, valid, hold"):
        predefined(dataset, test="hold")


@pytest.mark.parametrize("name", sorted(set(SPLITS) - {"predefined"}))
def test_every_split_is_a_partition_over_one_vocabulary(dataset, name):
    required = {"horizon": 100_000, "fold": 5} if name == "rolling" else {}
    splits = apply_split(dataset, SPLITS[name](dataset, **required), name, validate=name != "whole")
    parts = [splits.train, splits.valid, splits.test]
    assert all(part.vocabulary is splits.vocabulary for part in parts)
    rows = [set(zip(p.user.tolist(), p.item.tolist(), strict=True)) for p in parts]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]
    assert sum(map(len, rows)) + splits.report["events_of_users_without_training"] == len(dataset.interactions)
    assert any("later than other users" in note for note in splits.notes) == (
        name in ("ratio", "leave_last", "cold_items")
    )


def test_only_the_whole_split_may_leave_nothing_to_test_with(dataset):
    labels = SPLITS["whole"](dataset)
    assert len(apply_split(dataset, labels, "whole", validate=False).train) == len(dataset.interactions)
    with pytest.raises(DataError, match="leaves no test events"):
        apply_split(dataset, labels, "ratio", validate=False)


def test_users_who_only_come_later_fall_out_and_are_counted():
    source = events([(1, 1), (1, 2), (2, 1), (2, 3), (3, 1), (1, 3)], timestamp=[1, 2, 3, 12, 22, 11])
    dataset = Dataset.from_events(source)
    splits = apply_split(dataset, temporal(dataset, valid_from=10, test_from=12), "temporal")
    assert splits.report["users_without_training"] == 1
    assert splits.report["events_of_users_without_training"] == 1
    assert splits.report["held_out_events_of_items_without_training"] == 2
    assert len(splits.test) == 1


@pytest.mark.parametrize(
    ("split", "options", "message"),
    [
        (ratio, {"fractions": (0.8, 0.3, 0.1)}, r"split\.fractions"),
        (ratio, {"fractions": (0.0, 0.5, 0.5)}, r"split\.fractions"),
        (ratio, {"order": "time"}, "needs a time column"),
        (leave_last, {}, "needs a time column"),
        (temporal, {}, "needs a time column"),
        (predefined, {}, "no split column"),
    ],
)
def test_impossible_splits(split, options, message):
    dataset = Dataset.from_events(events([(u, i) for u in range(3) for i in range(5)]))
    with pytest.raises((ConfigError, DataError), match=message):
        split(dataset, **options)


def test_a_split_that_leaves_a_part_empty_is_refused():
    dataset = Dataset.from_events(events([(0, 0), (1, 1)]))
    with pytest.raises(DataError, match="leaves no valid events of 2 events"):
        apply_split(dataset, ratio(dataset), "ratio")


def test_without_validation_its_events_train_and_the_test_stays(dataset):
    labels = ratio(dataset)
    held, whole = apply_split(dataset, labels), apply_split(dataset, labels, validate=False)
    pairs = [set(zip(part.user.tolist(), part.item.tolist(), strict=True)) for part in (held.train, held.valid)]
    assert set(zip(whole.train.user.tolist(), whole.train.item.tolist(), strict=True)) == pairs[0] | pairs[1]
    assert len(whole.valid) == 0
    assert np.array_equal(whole.test.item, held.test.item)
    with pytest.raises(DataError, match="leaves no test events"):
        apply_split(dataset, np.minimum(labels, 1), validate=False)


@pytest.mark.parametrize("share", [0.2, 0.5, 3.0])
def test_noise_is_new_to_its_user_and_in_training_only(dataset, share):
    splits = apply_split(dataset, ratio(dataset), "ratio")
    noisy = add_noise(splits, ratio=share, seed=1)
    before, after = np.diff(splits.train.indptr), np.diff(noisy.train.indptr)
    known = [set(np.concatenate([p.items_of(u) for p in (splits.train, splits.valid, splits.test)])) for u in range(40)]
    room = 60 - np.array([len(k) for k in known])
    assert (after - before == np.minimum(np.floor(share * before + 1e-9), room)).all()
    assert noisy.noise.sum() == len(noisy.train) - len(splits.train)
    for u, i in zip(noisy.train.user[noisy.noise], noisy.train.item[noisy.noise], strict=True):
        assert i not in known[u]
    pairs = list(zip(noisy.train.user.tolist(), noisy.train.item.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    clean = noisy.train.select(~noisy.noise)
    assert sorted(zip(clean.user, clean.item, strict=True)) == sorted(
        zip(splits.train.user, splits.train.item, strict=True)
    )
    assert (add_noise(splits, ratio=share, seed=1).train.item == noisy.train.item).all()
    assert noisy.valid is splits.valid


def test_noise_may_hit_held_out_items_only_when_asked(dataset):
    splits = apply_split(dataset, ratio(dataset, fractions=(0.4, 0.3, 0.3)), "ratio")
    held_out = {(u, i) for p in (splits.valid, splits.test) for u, i in zip(p.user, p.item, strict=True)}
    authors = add_noise(splits, ratio=1.0, exclude_held_out=False)
    injected = set(zip(authors.train.user[authors.noise], authors.train.item[authors.noise], strict=True))
    assert injected & held_out


def test_noise_of_the_validation_part_leaves_training_as_it_is(dataset):
    """Twice 30 % of each user's validation events, rounded up or down; none is known from another part."""
    splits = apply_split(dataset, ratio(dataset, fractions=(0.4, 0.3, 0.3)), "ratio")
    clean, noisy = add_noise(splits, ratio=0.6, seed=3), add_noise(splits, ratio=0.6, seed=3, valid=True)
    assert (clean.train.item == noisy.train.item).all()
    assert (splits.test.item == noisy.test.item).all()
    before, after = np.diff(splits.valid.indptr), np.diff(noisy.valid.indptr)
    assert set(after - before - np.floor(0.6 * before).astype(int)) == {0, 1}
    for user in range(40):
        new = set(noisy.valid.items_of(user)) - set(splits.valid.items_of(user))
        assert len(new) == after[user] - before[user]
        assert not new & set(np.concatenate([noisy.train.items_of(user), splits.test.items_of(user)]))


def test_describe_counts():
    """3 users, 3 items, 4 distinct of 5 events: density 4/9, one duplicate."""
    found = describe(events([(1, 1), (1, 2), (1, 2), (2, 1), (3, 3)], timestamp=[0, 1, 2, 3, 900_000_000]))
    assert found.counts["density"] == pytest.approx(4 / 9)
    assert found.counts["duplicates"] == 1
    assert found.user_activity == [(1, 1, 2), (2, 3, 1)]
    assert found.time_span == (0, 900_000_000)


def test_a_histogram_begins_at_the_least_active():
    found = describe(events([(u, i) for u in (1, 2) for i in range(12 * u)]))
    assert found.user_activity == [(10, 19, 1), (20, 24, 1)]


def test_counting_duplicates_adds_their_weights():
    given_events = events([(1, 1), (1, 2), (1, 1)], weight=[2.0, 7.0, 0.5])
    kept, _ = filter_events(given_events, deduplicate="count")
    assert dict(kept.frame.select("item_id", "weight").rows()) == {1: 2.5, 2: 7.0}
    assert filter_events(given_events, deduplicate="last")[0].frame["weight"].to_list() == [7.0, 0.5]

"""Batches: exact, fair, and the same whoever asks and on however many threads."""

import numba
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError, TrainingError
from recpair.sampling import NEGATIVES, SAMPLERS, kernels
from recpair.sampling.negatives import Taken, alias_table, make_negatives
from recpair.sampling.pairs import PairSampler

KEY = np.uint64(987654321)


def interactions(pairs, n_users, n_items) -> Interactions:
    user, item = (np.array(column) for column in zip(*pairs, strict=True))
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(n_users, n_items))


def random_interactions(n_users=30, n_items=50, n=600, seed=0) -> Interactions:
    generator = np.random.default_rng(seed)
    pairs = sorted(set(zip(generator.integers(n_users, size=n), generator.zipf(1.3, size=n) % n_items, strict=True)))
    return interactions(pairs, n_users, n_items)


def source_of(events, spec, alpha):
    return make_negatives(events, spec, alpha, Taken(events))


def draws(source, user, n, positives=None):
    """n negatives of one user."""
    users = np.full(n, user)
    positives = np.zeros(n, dtype=np.int64) if positives is None else positives
    return source.draw(users, positives, 1, KEY, 0)[:, 0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=30),
    st.sampled_from(sorted(NEGATIVES)),
    st.integers(0, 2**63 - 1),
)
@settings(deadline=None)
def test_a_negative_is_never_a_training_positive(pairs, name, seed):
    data = interactions(pairs, 4, 8)  # item 7 is nobody's, so that everybody has a negative
    source = source_of(data, name, 0.75)
    users = np.repeat(np.arange(4), 50)
    positives = np.resize(data.item, len(users)).astype(np.int64)
    drawn = source.draw(users, positives, 3, np.uint64(seed), 17)
    taken = set(zip(data.user.tolist(), data.item.tolist(), strict=True))
    assert not taken & {(u, i) for u, row in zip(users.tolist(), drawn.tolist(), strict=True) for i in row}
    assert drawn.min() >= 0
    assert drawn.max() < 8


@pytest.mark.parametrize("name", sorted(NEGATIVES))
def test_who_has_taken_all_but_one_item_gets_that_one(name):
    data = interactions([(0, i) for i in range(5000) if i != 3210] + [(1, 3210)], 2, 5000)
    positives = np.zeros(200, dtype=np.int64)
    assert set(draws(source_of(data, name, 1.0), 0, 200, positives)) == {3210}


def test_uniform_draws_are_uniform_over_what_is_left():
    data = random_interactions()
    for user in (0, 7):
        left = np.setdiff1d(np.arange(50), data.items_of(user))
        drawn = draws(source_of(data, "uniform", 1.0), user, 40_000)
        assert set(drawn) == set(left)
        assert stats.chisquare(np.bincount(drawn, minlength=50)[left]).pvalue > 1e-4


def test_uniform_draws_after_many_rejections_are_uniform_too():
    """47 of 50 items are taken: about half of all draws reach the exact branch (0.94¹² = 0.48)."""
    data = interactions([(0, i) for i in range(50) if i not in (0, 20, 49)] + [(1, 0)], 2, 50)
    counts = np.bincount(draws(source_of(data, "uniform", 1.0), 0, 30_000), minlength=50)
    assert set(np.flatnonzero(counts)) == {0, 20, 49}
    assert stats.chisquare(counts[[0, 20, 49]]).pvalue > 1e-4


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_popularity_draws_follow_the_power_of_the_counts(alpha):
    data = random_interactions()
    source = source_of(data, "popularity", alpha)
    for user in (0, 3):
        left = np.setdiff1d(np.arange(50), data.items_of(user))
        left = left[data.item_counts[left] > 0]
        expected = data.item_counts[left] ** alpha
        counts = np.bincount(draws(source, user, 40_000), minlength=50)
        assert counts.sum() == counts[left].sum()
        assert stats.chisquare(counts[left], expected / expected.sum() * 40_000).pvalue > 1e-4


def test_popularity_keeps_its_law_when_nearly_all_weight_is_taken():
    """User 0 has the items of 98 % of the weight: rejection gives up (0.98¹² = 0.78), the walk decides."""
    pairs = [(u, 0) for u in range(99)] + [(99, 1)] + [(u, 2) for u in range(97, 99)]
    source = source_of(interactions(pairs, 100, 5), "popularity", 1.0)
    counts = np.bincount(draws(source, 0, 9000), minlength=5)
    assert counts[[0, 3, 4]].sum() == 0
    assert stats.chisquare(counts[[1, 2]], [3000, 6000]).pvalue > 1e-4


def test_who_has_taken_every_popular_item_gets_uniform_ones():
    source = source_of(interactions([(0, 0), (1, 0)], 2, 4), "popularity", 1.0)
    assert stats.chisquare(np.bincount(draws(source, 0, 3000), minlength=4)[1:]).pvalue > 1e-4


def test_alias_table_gives_back_its_weights():
    weights = np.array([0.0, 1.0, 2.0, 5.0, 0.5])
    keep, alias = alias_table(weights)
    mass = keep.copy()
    np.add.at(mass, alias, 1 - keep)
    assert mass / 5 == pytest.approx(weights / weights.sum())


def test_in_batch_negatives_are_positives_of_the_batch():
    data = interactions([(0, 0), (1, 1), (2, 2), (3, 3)], 4, 100)
    users = np.repeat(np.arange(4), 100)
    drawn = source_of(data, "in_batch", 1.0).draw(users, users, 2, KEY, 0)
    assert set(drawn.ravel()) == {0, 1, 2, 3}
    assert (drawn != users[:, None]).all()


def test_a_mixture_keeps_its_shares():
    """Item 0 is the only popular one; of uniform draws it gets 1 in 99, of popular ones all."""
    data = interactions([(u, 0) for u in range(1, 50)] + [(0, 1)], 50, 100)
    source = source_of(data, {"uniform": 1, "popularity": 3}, 4.0)
    share = (draws(source, 0, 20_000) == 0).mean()
    assert share == pytest.approx(0.75 + 0.25 / 99, abs=0.015)


@pytest.mark.parametrize("queries", ["users", "interactions"])
@pytest.mark.parametrize("candidates", [1, 5])
def test_pools_are_rows_of_their_user(queries, candidates):
    data = random_interactions()
    sampler = PairSampler(data, candidates, 1, queries=queries, batch_size=100, n_negatives=2)
    batches = list(sampler.epoch(1))
    assert len(batches) == len(sampler) == -(-len(data) // 100)
    assert sum(map(len, batches)) == len(data)
    sizes = np.diff(data.indptr)
    for batch in batches:
        user, rows = batch.user.numpy(), batch.rows.numpy()
        assert (data.user[rows] == user[:, None]).all()
        assert (data.item[rows] == batch.positives.numpy()).all()
        assert batch.negatives.shape == (len(user), 2)
        distinct = np.array([len(set(pool)) for pool in rows.tolist()])
        assert (distinct[sizes[user] >= candidates] == candidates).all()


def test_every_interaction_is_a_query_once_in_column_0():
    data = random_interactions()
    sampler = PairSampler(data, 5, 3, batch_size=64)
    rows = np.concatenate([batch.rows[:, 0].numpy() for batch in sampler.epoch(2)])
    assert sorted(rows.tolist()) == list(range(len(data)))
    assert rows.tolist() != list(range(len(data)))


def test_users_are_drawn_uniformly_among_those_with_interactions():
    data = interactions([(u, i) for u in (0, 2, 5) for i in range(2000)], 6, 2001)
    drawn = np.concatenate([b.user.numpy() for b in PairSampler(data, 1, 0, queries="users").epoch(1)])
    counts = np.bincount(drawn, minlength=6)
    assert counts[[1, 3, 4]].sum() == 0
    assert stats.chisquare(counts[[0, 2, 5]]).pvalue > 1e-4


@pytest.mark.parametrize("queries", ["users", "interactions"])
def test_each_column_of_a_pool_is_uniform(queries):
    """Plain epochs of a denoiser train on column 0 alone, so no column may prefer a row."""
    data = interactions([(0, i) for i in range(7)], 1, 2000)
    pools = np.empty((70_000, 4), dtype=np.int64)
    rows = np.repeat(np.arange(7), 10_000) if queries == "interactions" else np.empty(0, dtype=np.int64)
    kernels.pools(KEY, np.uint64(0), np.zeros(70_000, dtype=np.int64), rows, data.indptr, pools)
    for column in range(4):
        assert stats.chisquare(np.bincount(pools[:, column], minlength=7)).pvalue > 1e-4
    assert stats.chisquare(np.bincount(pools[:, 1] * 7 + pools[:, 2])[[1, 9, 44]]).pvalue > 1e-4


def test_a_user_with_few_positives_repeats_them():
    pools = np.empty((100, 5), dtype=np.int64)
    data = interactions([(0, 4), (0, 8)], 1, 20)
    none = np.empty(0, dtype=np.int64)
    kernels.pools(KEY, np.uint64(0), np.zeros(100, dtype=np.int64), none, data.indptr, pools)
    assert set(pools.ravel()) == {0, 1}


def stacked(sampler, epoch):
    parts = [(b.user, b.positives, b.negatives, b.rows) for b in sampler.epoch(epoch)]
    return [np.concatenate([p.numpy() for p in column]) for column in zip(*parts, strict=True)]


EXAMPLES = [("pairs", {"queries": "users"}), ("pairs", {"queries": "interactions"})]
EXAMPLES += [("sequences", {"history_length": 8, "examples": kind}) for kind in ("positions", "prefixes")]


def test_every_sampler_is_tried():
    assert {name for name, _ in EXAMPLES} == set(SAMPLERS)


@pytest.mark.parametrize(("name", "options"), EXAMPLES)
@pytest.mark.parametrize("negatives", ["uniform", "popularity", {"uniform": 0.5, "in_batch": 0.5}])
def test_batches_follow_from_seed_and_epoch_alone(name, negatives, options):
    data = random_interactions()
    make = lambda seed: SAMPLERS[name](data, 3, seed, negatives=negatives, batch_size=16, **options)  # noqa: E731
    threads = numba.get_num_threads()
    first = stacked(make(5), 4)
    numba.set_num_threads(1)
    try:
        again = stacked(make(5), 4)
    finally:
        numba.set_num_threads(threads)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    for other in (stacked(make(5), 5), stacked(make(6), 4)):
        assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_all_cores_draw_the_same_numbers_as_one():
    data = random_interactions()
    taken, users = Taken(data), np.arange(10_000) % 30
    one, many = np.empty((2, 10_000, 3), dtype=np.int64)
    kernels.uniform(KEY, np.uint64(9), users, taken.table, 50, one)
    kernels.uniform_on_all_cores(KEY, np.uint64(9), users, taken.table, 50, many)
    assert (one == many).all()


def test_who_has_taken_everything_is_named_by_the_external_id():
    taken = {"user_id": ["anna", "bert", "bert", "bert", "carl"], "item_id": ["x", "y", "x", "z", "y"]}
    with pytest.raises(DataError, match=r"user 'bert' has interacted with all 3 items.*filter this user out"):
        PairSampler(Interactions.from_polars(pl.DataFrame(taken)), 1, 0)


def test_bad_requests():
    data = random_interactions()
    with pytest.raises(ConfigError, match="did you mean uniform"):
        PairSampler(data, 1, 0, negatives="unifrom")
    with pytest.raises(ConfigError, match=r"sampler\.negatives\.uniform is -1"):
        PairSampler(data, 1, 0, negatives={"uniform": -1.0})
    for share in (0.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=rf"sampler\.negatives\.uniform is {share}; expected a finite share"):
            PairSampler(data, 1, 0, negatives={"uniform": share, "popularity": 1.0})
    with pytest.raises(TrainingError, match="no training interactions"):
        PairSampler(data.select(np.arange(0)), 1, 0)

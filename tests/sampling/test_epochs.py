"""Epochs: what a query gets follows from its number in the epoch, not from the batch that it is in."""

import numpy as np
import pytest
from scipy import stats

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.sampling import NEGATIVES
from recpair.sampling.negatives import Taken, make_negatives
from recpair.sampling.pairs import PairSampler

MIX = {"uniform": 0.5, "popularity": 0.5}


def interactions(pairs, n_users, n_items) -> Interactions:
    user, item = (np.array(column) for column in zip(*pairs, strict=True))
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(n_users, n_items))


def disjoint(n_users, n_each) -> Interactions:
    """Users with as many items each, which nobody else has."""
    return interactions([(u, u * n_each + i) for u in range(n_users) for i in range(n_each)], n_users, n_users * n_each)


def columns(sampler, epoch=1):
    parts = [(b.user, b.positives, b.negatives, b.rows) for b in sampler.epoch(epoch)]
    return [np.concatenate([p.numpy() for p in column]) for column in zip(*parts, strict=True)]


@pytest.mark.parametrize("queries", ["users", "interactions"])
@pytest.mark.parametrize("negatives", ["uniform", "popularity", MIX])
def test_the_batch_size_changes_no_draw(queries, negatives):
    data = disjoint(30, 12)
    options = {"queries": queries, "negatives": negatives, "n_negatives": 3}
    whole = columns(PairSampler(data, 4, 7, batch_size=1000, **options))
    split = columns(PairSampler(data, 4, 7, batch_size=64, **options))
    assert all((a == b).all() for a, b in zip(whole, split, strict=True))


@pytest.mark.parametrize("spec", [*sorted(NEGATIVES), MIX], ids=str)
def test_a_later_batch_continues_the_numbers_of_the_one_before(spec):
    """One user and the same positives throughout, so that only the query's number makes a difference."""
    data = disjoint(30, 12)
    users, positives = np.zeros(200, dtype=np.int64), np.resize(data.item, 200).astype(np.int64)
    source = make_negatives(data, spec, 0.75, Taken(data))
    start, later = (source.draw(users, positives, 3, np.uint64(99), first) for first in (0, 100))
    assert (start[100:] == later[:100]).all()
    assert (start[:100] != start[100:]).mean() > 0.5


def test_batches_are_drawn_when_they_are_asked_for():
    class Counted:
        calls = 0

        def draw(self, users, positives, n, key, first):
            self.calls += 1
            return np.zeros((len(users), n), dtype=np.int64)

    sampler = PairSampler(disjoint(30, 12), 2, 0, batch_size=50)
    sampler.negative_sampler.source = counted = Counted()
    batches = sampler.epoch(1)
    assert counted.calls == 0
    next(batches), next(batches)
    assert counted.calls == 2


@pytest.mark.parametrize("queries", ["users", "interactions"])
def test_a_pool_of_exactly_all_of_a_users_rows_has_each_once(queries):
    data = disjoint(20, 3)
    for user, pool in zip(*columns(PairSampler(data, 3, 1, queries=queries))[::3], strict=True):
        assert sorted(pool) == [3 * user, 3 * user + 1, 3 * user + 2]


def test_a_users_row_does_not_depend_on_how_the_user_was_drawn():
    """Four users of two rows each: all eight rows are equally likely, which one stream for both would not give."""
    sampler = PairSampler(disjoint(4, 2), 1, 5, queries="users")
    rows = np.concatenate([columns(sampler, epoch)[3][:, 0] for epoch in range(1, 501)])
    assert stats.chisquare(np.bincount(rows, minlength=8)).pvalue > 1e-4


def test_in_batch_negatives_come_from_column_0():
    sampler = PairSampler(disjoint(40, 10), 4, 2, negatives="in_batch", n_negatives=5, batch_size=32)
    for batch in sampler.epoch(1):
        if len(batch) == 32:
            assert set(batch.negatives.flatten().tolist()) <= set(batch.positives[:, 0].tolist())

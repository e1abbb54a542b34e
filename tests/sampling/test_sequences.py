"""What the sequence sampler gives: every event once, after what preceded it, in batches of like length."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.histories import PADDING, before
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import TrainingError
from recpair.sampling.sequences import SequenceSampler

SIZES = [1, 2, 7, 12, 3, 0, 5, 30, 4, 4]


def histories(sizes, n_items=50, seed=0) -> Interactions:
    user = np.repeat(np.arange(len(sizes)), sizes)
    item = np.random.default_rng(seed).integers(n_items, size=len(user))
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(len(sizes), n_items))


def prefix_of(batch, query):
    """What a query may look at: its history up to its place."""
    if batch.at is None:
        row = batch.history[query]
    else:
        length = batch.history.shape[1]
        history, place = divmod(batch.at[query].item(), length)
        row = batch.history[history][: place + 1]
    return row[row != PADDING].tolist()


@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=12).filter(lambda s: max(s) > 1),
    st.integers(1, 6),
    st.integers(1, 9),
)
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("examples", ["positions", "prefixes"])
def test_every_event_that_follows_something_is_learnt_once(examples, sizes, length, batch_size):
    train = histories(sizes)
    sampler = SequenceSampler(train, 1, 3, length, examples=examples, batch_size=batch_size)
    batches = list(sampler.epoch(1))
    assert len(batches) == len(sampler)
    rows = torch.cat([batch.rows for batch in batches]).flatten().numpy()
    assert sorted(rows) == [r for r in range(len(train)) if r not in train.indptr]
    for batch in batches:
        whole = before(train, batch.rows.flatten().numpy(), length)
        for query, row in enumerate(batch.rows.flatten().tolist()):
            seen, known = prefix_of(batch, query), whole[query][whole[query] != PADDING].tolist()
            assert batch.positives[query].tolist() == [train.item[row]]
            assert batch.user[query] == train.user[row]
            if examples == "prefixes":
                assert seen == known
            else:  # a window's start has less before it
                assert len(seen) > 0
                assert known[-len(seen) :] == seen


@pytest.mark.parametrize("examples", ["positions", "prefixes"])
def test_epochs_differ_and_repeat_themselves(examples):
    sampler = SequenceSampler(histories(SIZES), 3, 1, 8, examples=examples, batch_size=4, n_negatives=2)
    first, again, other = (list(sampler.epoch(number)) for number in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True) if x is not None)
    rows = [torch.cat([batch.rows for batch in epoch]).flatten().tolist() for epoch in (first, other)]
    assert rows[0] != rows[1]


def test_batches_are_alike_in_length_and_about_equal_in_queries():
    sizes = np.random.default_rng(1).geometric(0.15, size=2000) + 1
    sampler = SequenceSampler(histories(sizes), 1, 0, 50, batch_size=32)
    batches = list(sampler.epoch(1))
    n_queries = np.array([len(batch) for batch in batches])
    assert abs(n_queries - n_queries.mean()).max() <= 50
    places = sum(batch.history.numel() for batch in batches)
    assert n_queries.sum() / places > 0.9
    assert [batch.history.shape[1] for batch in batches] != sorted(batch.history.shape[1] for batch in batches)


@pytest.mark.parametrize("examples", ["positions", "prefixes"])
def test_a_pool_is_its_query_and_others_of_its_history(examples):
    train = histories([9, 6, 2, 14])
    for batch in SequenceSampler(train, 3, 5, 20, examples=examples, batch_size=3).epoch(1):
        users, rows = batch.user[batch.pools], batch.pooled(batch.rows)
        assert (users == users[:, :1]).all()
        large = (users != 2).all(1)
        assert all(len(set(pool.tolist())) == 3 for pool in rows[large])
        if examples == "positions":
            assert batch.pools[:, 0].tolist() == list(range(len(batch)))
            assert set(batch.pools.flatten().tolist()) <= set(range(len(batch)))


@pytest.mark.parametrize("examples", ["positions", "prefixes"])
def test_negatives_are_none_of_the_users_items(examples):
    train = histories(SIZES, n_items=20)
    for batch in SequenceSampler(train, 1, 5, 6, examples=examples, n_negatives=4).epoch(2):
        for user, negatives in zip(batch.user.tolist(), batch.negatives.tolist(), strict=True):
            assert not set(negatives) & set(train.items_of(user).tolist())


@pytest.mark.parametrize("examples", ["positions", "prefixes"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("source", ["uniform", "popularity", "in_batch"])
def test_where_only_the_target_is_excluded_the_rest_of_the_history_is_drawn_and_counts(examples, shared, source):
    train = histories([9, 6, 2, 14], n_items=12)
    sampler = SequenceSampler(
        train, 1, 5, 6, examples=examples, negatives=source, n_negatives=40, shared=shared, exclude="target"
    )
    for batch in sampler.epoch(2):
        assert batch.negatives.shape == (1 if shared else len(batch), 40)
        negatives = batch.negatives.expand(len(batch), -1)
        assert torch.equal(batch.false_negatives, negatives == batch.positives)
        taken = [set(train.items_of(user).tolist()) for user in batch.user.tolist()]
        assert any(
            item in own and not known
            for own, row, is_known in zip(taken, negatives.tolist(), batch.false_negatives.tolist(), strict=True)
            for item, known in zip(row, is_known, strict=True)
        )


def test_histories_of_one_event_are_refused():
    with pytest.raises(TrainingError, match="no user has two or more training interactions"):
        SequenceSampler(histories([1, 1, 0]), 1, 0, 5)

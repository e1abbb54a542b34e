"""Histories against naive loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpair.data.histories import PADDING, before, latest, padded
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=25)


def interactions(pairs) -> Interactions:
    user, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(5, 10))


def naive(items, width):
    kept = list(items)[-width:]
    return [PADDING] * (width - len(kept)) + kept


@given(st.lists(EVENTS, min_size=1, max_size=3), st.lists(st.integers(0, 4), max_size=6), st.integers(1, 8))
def test_latest_is_the_end_of_all_parts_together(parts, users, length):
    parts = [interactions(part) for part in parts]
    whole = [np.concatenate([part.items_of(user) for part in parts]) for user in users]
    width = min(length, max([1, *map(len, whole)]))
    found = latest(parts, np.array(users, dtype=np.int64), length)
    assert found.tolist() == [naive(items, width) for items in whole]
    assert padded(whole, length).tolist() == found.tolist()


@given(EVENTS.filter(len), st.integers(1, 8))
def test_before_is_what_precedes_the_row(pairs, length):
    train = interactions(pairs)
    for row, found in enumerate(before(train, np.arange(len(train)), length).tolist()):
        assert found == naive(train.item[train.indptr[train.user[row]] : row], length)


@pytest.mark.parametrize("length", [1, 3])
def test_nobody_has_no_histories(length):
    assert latest([interactions([(0, 1)])], np.empty(0, dtype=np.int64), length).shape == (0, 1)

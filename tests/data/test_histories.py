"""Histories against naive loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recpair.data.histories import PADDING, Histories, before, notes_on_histories, padded
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=25)


def interactions(pairs) -> Interactions:
    user, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(5, 10))


def timed(events) -> Interactions:
    user, item, time = np.array(events, dtype=np.int64).reshape(-1, 3).T
    return Interactions.from_indices(user, item, time, vocabulary=Vocabulary.range(5, 10))


def naive(items, width):
    kept = list(items)[-width:]
    return [PADDING] * (width - len(kept)) + kept


TIMED = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 6)), max_size=12)


@given(st.lists(EVENTS, min_size=1, max_size=3), st.lists(st.integers(0, 4), max_size=6), st.integers(1, 8))
def test_without_times_a_history_is_the_end_of_all_parts_together(parts, users, length):
    parts = [interactions(part) for part in parts]
    whole = [np.concatenate([part.items_of(user) for part in parts]) for user in users]
    width = min(length, max([1, *map(len, whole)]))
    found = Histories(parts, parts[-1]).latest(np.array(users, dtype=np.int64), length)
    assert found.tolist() == [naive(items, width) for items in whole]
    assert padded(whole, length).tolist() == found.tolist()


@given(st.lists(TIMED, min_size=1, max_size=3), TIMED, st.integers(1, 8))
def test_a_history_ends_at_the_first_held_out_event(parts, held_out, length):
    parts, test, users = [timed(part) for part in parts], timed(held_out), np.arange(5)
    whole = []
    for user in users:
        end = min([time for owner, _, time in held_out if owner == user], default=99)
        own = [
            (time, place, row, item)
            for place, part in enumerate(parts)
            for row, (owner, item, time) in enumerate(zip(part.user, part.item, part.time, strict=True))
            if owner == user and time <= end
        ]
        whole.append([item for *_, item in sorted(own)])
    width = min(length, max([1, *map(len, whole)]))
    histories = Histories(parts, test)
    assert histories.latest(users, length).tolist() == [naive(items, width) for items in whole]
    assert sum(map(len, whole)) == sum(int((~histories.later(part)).sum()) for part in parts)


def test_a_note_counts_what_is_not_read():
    """User 0's second training event is later than the validation event, the third later than both."""
    train, valid, test = timed([(0, 0, 0), (0, 1, 3), (0, 2, 9), (1, 0, 0)]), timed([(0, 3, 2)]), timed([(0, 4, 4)])
    (note,) = notes_on_histories(train, valid, test)
    assert "2 later events of the same users are not read in the validation, 1 are not read in the test" in note
    assert notes_on_histories(timed([(0, 0, 0)]), timed([(0, 1, 1)]), timed([(0, 2, 2)])) == []


@given(EVENTS.filter(len), st.integers(1, 8))
def test_before_is_what_precedes_the_row(pairs, length):
    train = interactions(pairs)
    for row, found in enumerate(before(train, np.arange(len(train)), length).tolist()):
        assert found == naive(train.item[train.indptr[train.user[row]] : row], length)


@pytest.mark.parametrize("length", [1, 3])
def test_nobody_has_no_histories(length):
    assert Histories([interactions([(0, 1)])]).latest(np.empty(0, dtype=np.int64), length).shape == (0, 1)

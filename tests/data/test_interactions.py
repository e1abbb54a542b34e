"""What is derived from interactions leaves them as they are."""

import numpy as np
import polars as pl
import pytest

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import DataError


def test_a_sparse_matrix_leaves_the_order_of_events_alone():
    """Its indices are sorted and repeated events fall together, in the matrix only."""
    user, item = np.array([0, 0, 0, 1, 1, 1]), np.array([4, 2, 3, 1, 1, 0])
    events = Interactions.from_indices(user, item, np.arange(6), vocabulary=Vocabulary.range(2, 5))
    matrix = events.to_scipy()
    np.testing.assert_array_equal(matrix.toarray(), [[0, 0, 1, 1, 1], [1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(events.item, item)
    np.testing.assert_array_equal(events.indptr, [0, 3, 6])


def test_interactions_carry_the_unit_of_their_times():
    """Through selections and histories; a day has as many ticks as the unit says."""
    start = np.datetime64("2024-03-01T00:00:00.250", "ms")
    times = start + np.array([0, 86_400_000, 2 * 86_400_000])
    frame = pl.DataFrame({"user_id": [0, 0, 1], "item_id": [5, 6, 5], "timestamp": times})
    events = Interactions.from_polars(frame)
    assert events.clock.per_day("model.days") == 86_400_000
    for part in (events.select(np.array([1, 0])), events.select(np.array([True, True, False])), again(events)):
        assert part.clock == events.clock
    arrays = Interactions.from_indices(np.zeros(3, int), np.arange(3), times, vocabulary=Vocabulary.range(1, 3))
    assert arrays.clock == events.clock


def again(events: Interactions) -> Interactions:
    """The same events, through a history that ends at none of them."""
    return Histories((events, events.select(np.zeros(len(events), dtype=bool)))).events


def test_positions_have_no_days():
    events = Interactions.from_indices(np.zeros(2, int), np.arange(2), np.arange(2), vocabulary=Vocabulary.range(1, 2))
    with pytest.raises(DataError, match=r"model\.days counts days, but the unit of the times is unknown"):
        events.clock.per_day("model.days")

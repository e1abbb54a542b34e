"""What is derived from interactions leaves them as they are."""

import numpy as np

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary


def test_a_sparse_matrix_leaves_the_order_of_events_alone():
    """Its indices are sorted and repeated events fall together, in the matrix only."""
    user, item = np.array([0, 0, 0, 1, 1, 1]), np.array([4, 2, 3, 1, 1, 0])
    events = Interactions.from_indices(user, item, np.arange(6), vocabulary=Vocabulary.range(2, 5))
    matrix = events.to_scipy()
    np.testing.assert_array_equal(matrix.toarray(), [[0, 0, 1, 1, 1], [1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(events.item, item)
    np.testing.assert_array_equal(events.indptr, [0, 3, 6])

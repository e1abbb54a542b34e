"""Neighbours against a loop over all pairs; history vectors against their sum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.semantics.encoders import normalised
from recpair.semantics.history_vectors import history_vectors
from recpair.semantics.neighbours import Search, nearest, overlap

pytest.importorskip("faiss", reason="needs recpair[text]")


def unit(rows, dim=8, seed=0):
    return normalised(np.random.default_rng(seed).normal(size=(rows, dim)))


def itself(rows):
    return np.stack([np.arange(rows), np.arange(rows) + 1], axis=1)


def by_loop(search: Search, k: int) -> np.ndarray:
    """Every pair, one at a time."""
    rows = np.full((len(search.vectors), k), -1)
    for row, vector in enumerate(search.vectors):
        start, stop = search.own[row]
        others = [
            (-float(vector @ other), place)
            for place, other in enumerate(search.vectors)
            if vector.any() and other.any() and search.pool[place] and not start <= place < stop
        ]
        for column, (_, place) in enumerate(sorted(others)[:k]):
            rows[row, column] = place
    return rows


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 5))
def test_exact_neighbours_are_those_of_a_loop(seed, k, run):
    """Zero vectors, a pool with holes, and own ranges of every length."""
    generator = np.random.default_rng(seed)
    vectors = unit(30, seed=seed)
    vectors[generator.random(30) < 0.2] = 0
    first = np.arange(30) // run * run
    search = Search(vectors, generator.random(30) < 0.7, np.stack([first, np.minimum(first + run, 30)], axis=1))
    found = nearest(search, k, exact_below=100, recall=0.9)
    np.testing.assert_array_equal(found.rows, by_loop(search, k))
    assert found.recall == 1


def test_duplicates_are_neighbours_but_nobody_is_his_own():
    """Ten copies of one vector: every one has nine others, whatever the order of equals."""
    search = Search(np.repeat(unit(1), 10, axis=0), np.ones(10, dtype=bool), itself(10))
    rows = nearest(search, 9, exact_below=100, recall=0.9).rows
    assert [sorted(row) for row in rows.tolist()] == [[j for j in range(10) if j != i] for i in range(10)]


def test_approximate_search_measures_its_recall_and_reaches_what_is_asked():
    vectors = unit(4_000, 16)
    search = Search(vectors, np.ones(4_000, dtype=bool), itself(4_000))
    truth = nearest(search, 5, exact_below=4_000, recall=0.5).rows
    shares = []
    for wanted in (0.5, 0.9, 1.0):
        found = nearest(search, 5, exact_below=3_999, recall=wanted)
        assert wanted <= found.recall <= 1
        assert overlap(found.rows, truth) == pytest.approx(found.recall, abs=0.05)
        assert (found.rows != np.arange(4_000)[:, None]).all()
        shares.append(found.recall)
    assert shares == sorted(shares)
    assert shares[0] < 0.9  # it is approximate indeed
    again = nearest(search, 5, exact_below=3_999, recall=1.0)
    np.testing.assert_array_equal(again.rows, found.rows)


def test_nobody_with_a_vector_has_no_neighbours():
    search = Search(np.zeros((3, 4), np.float32), np.ones(3, dtype=bool), itself(3))
    assert (nearest(search, 2, exact_below=100, recall=0.9).rows == -1).all()


def test_progress_ends_with_everybody_who_asks():
    heard = []
    search = Search(unit(50), np.ones(50, dtype=bool), itself(50))
    nearest(search, 3, exact_below=100, recall=0.9, report=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (50, 50)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.floats(0.1, 1.0))
def test_history_vectors_are_the_weighted_sums_of_what_precedes(users, decay):
    """h(row) ∝ Σ_j decay^(j−1) v(j steps before), summed one item at a time."""
    generator = np.random.default_rng(len(users))
    items = generator.integers(5, size=len(users))
    train = Interactions.from_indices(np.array(users), items, vocabulary=Vocabulary.range(7, 5))
    vectors = unit(5, 4)
    vectors[3] = 0
    found = history_vectors(train, vectors, decay)
    for row in range(len(train)):
        start = train.indptr[train.user[row]]
        total = np.zeros(4)
        for steps, place in enumerate(range(row - 1, start - 1, -1)):
            total += decay**steps * vectors[train.item[place]].astype(np.float64)
        length = np.linalg.norm(total)
        np.testing.assert_allclose(found[row], total / length if length > 1e-6 else total * 0, atol=1e-4)

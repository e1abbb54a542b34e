"""Search by id and title: a naive oracle, and the order of results."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.browse.search import SearchIndex, folded

TITLES = ["Star Wars", "Star Trek", "A Star Is Born", "Mustard", "Élan vital", "élan", "(.*) [a]", "", "Casablanca"]
EVENTS = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1])


def index():
    ids = [str(i) for i in range(len(TITLES))]
    return SearchIndex(ids, TITLES, EVENTS, ["1", "10", "100", "x1", "Ada"], np.array([1, 2, 3, 4, 5]))


def items(query, limit=9):
    return [int(found["id"]) for found in index().find(query, limit)[0]]


def users(query, limit=9):
    return [found["id"] for found in index().find(query, limit)[1]]


def test_titles_that_begin_with_the_query_come_first_then_words_then_parts():
    assert items("star") == [0, 1, 2, 3]
    assert items("STAR w") == [0]
    assert items("wars star") == [0]
    assert items("star", limit=2) == [0, 1]


def test_ids_equal_to_the_query_come_first():
    assert users("1") == ["1", "100", "10", "x1"]
    assert users("10") == ["10", "100"]
    assert users("ada") == ["Ada"]
    assert items("7") == [7]


def test_accents_case_and_blanks_do_not_matter():
    assert items("elan") == [4, 5]
    assert items("  ÉLAN   Vital ") == [4]


def test_patterns_are_text():
    assert items("(.*)") == [6]
    assert items("[a]") == [6]
    assert items("\\") == []
    assert items("") == items("   ") == []


@settings(max_examples=60)
@given(st.text(alphabet="abeilnrst .*é0123", max_size=5), st.integers(1, 9))
def test_results_are_those_that_contain_every_word(query, limit):
    words = folded(query).split()
    expected = {
        place
        for place, title in enumerate(TITLES)
        if words and all(word in folded(title) or word in str(place) for word in words)
    }
    found = items(query, len(TITLES))
    assert set(found) == expected
    assert items(query, limit) == found[:limit]

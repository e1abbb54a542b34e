"""The search for ids agrees with a dict of their texts, whatever their order and number."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data import vocabulary
from recpair.data.ids import WHOLE
from recpair.data.vocabulary import Ids

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
INTEGER = st.one_of(st.integers(-30, 30), st.integers(-(2**63), 2**63 - 1))


@settings(deadline=None, max_examples=150)
@given(
    known=st.one_of(st.lists(INTEGER, unique=True, max_size=30), st.lists(TEXT, unique=True, max_size=30)),
    other=st.lists(st.one_of(INTEGER, TEXT, INTEGER.map(str), st.none()), max_size=10),
    picked=st.lists(st.integers(0, 29), max_size=20),
)
def test_each_id_is_found_at_its_index(known, other, picked):
    ids = Ids("user", pl.Series("user_id", known, dtype=pl.Int64 if known and isinstance(known[0], int) else pl.String))
    asked = [known[i] for i in picked if i < len(known)] + other
    index = {str(id_): i for i, id_ in enumerate(known)}
    whole = [re.sub(WHOLE, lambda found: found[0][:-2], str(id_)) for id_ in asked]  # "22.0" may be 22
    expected = [
        -1 if id_ is None else index.get(str(id_), index.get(form, -1)) for id_, form in zip(asked, whole, strict=True)
    ]
    assert ids.find(asked).tolist() == expected


@pytest.mark.parametrize("n", [vocabulary.SHORT, vocabulary.SHORT + 1])
@pytest.mark.parametrize("form", [str, lambda i: f"{i}.0"])
def test_short_and_long_lists_are_searched_alike(n, form):
    numbers = np.random.default_rng(0).permutation(50)
    for ids in (Ids("item", pl.Series(numbers)), Ids("item", pl.Series(numbers.astype(str)))):
        assert ids.find([*map(form, numbers[:n]), "x", None]).tolist() == [*range(n), -1, -1]

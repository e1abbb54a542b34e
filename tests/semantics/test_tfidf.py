"""TF-IDF: sparse vectors as scikit-learn's, dense ones as a decomposition of them, and the stage with both."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from recpair.errors import DataError
from recpair.semantics import encode_items, retrieve
from recpair.semantics.encoders.tfidf import Tfidf

WORDS = st.sampled_from(
    ["Red", "red", "lip-stick", "a", "Öl", "été", "x2", "snake_case", "50", "ſt", "ab.cd", "İi", "是的"]
)
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), min_size=1, max_size=12)


@given(TEXTS, st.integers(1, 3))
def test_sparse_vectors_are_those_of_scikit_learn(texts, min_df):
    """Repeated words, words of one character, punctuation, accents and other scripts; empty texts do not count."""
    encoder, asked = Tfidf(min_df=min_df), [*texts, "red unknown", "unknown", ""]
    try:
        expected = TfidfVectorizer(min_df=min_df).fit([*filter(None, texts)]).transform(asked).toarray()
    except ValueError:  # no words are left
        with pytest.raises(DataError, match=f"semantics.min_df is {min_df}, but no word is in as many of the"):
            encoder.learn(texts)
        return
    encoder.learn(texts)
    np.testing.assert_allclose(encoder.rows(asked).toarray(), expected, atol=1e-6)


def corpus(n=60, seed=0):
    """Texts of 30 words, those of a topic of five together more often."""
    generator = np.random.default_rng(seed)
    words = np.array([f"w{i:02}" for i in range(30)])
    topics = generator.integers(6, size=(n, 8)) // 5 * generator.integers(6, size=(n, 1)) * 5
    return [" ".join(words[row]) for row in (topics + generator.integers(5, size=(n, 8))) % 30]


def test_dense_vectors_are_the_best_of_their_length():
    """Oracle: numpy's singular value decomposition. With as many numbers as words, cosines are exact."""
    texts = corpus()
    for dim in (4, 256):
        encoder = Tfidf(min_df=1, dim=dim)
        encoder.learn(texts)
        rows = encoder.rows(texts).toarray()
        left, values, _ = np.linalg.svd(rows, full_matrices=False)
        dense = encoder.encode(texts)
        assert dense.shape == (60, min(dim, rows.shape[1]))
        best = (left[:, :dim] * values[:dim] ** 2) @ left[:, :dim].T
        np.testing.assert_allclose(dense @ dense.T, best, atol=1e-3 if dim == 4 else 1e-5)


def test_the_identity_is_that_of_the_texts():
    one, same, other = Tfidf(), Tfidf(), Tfidf()
    one.learn(["red shoe", "", "blue shoe"])
    same.learn(["red shoe", "blue shoe"])
    other.learn(["red shoe", "blue shoe", "shoe"])
    assert one.identity() == same.identity() != other.identity()


def test_the_stage_finds_items_of_like_words(splits, tmp_path):
    pytest.importorskip("faiss", reason="needs recpair[text]")
    options = {"name": "tfidf", "template": "{title}", "k": 4, "folder": str(tmp_path)}
    found = retrieve(splits, **options)
    np.testing.assert_allclose(np.linalg.norm(found.item_vectors, axis=1), 1, rtol=1e-5)
    kind = {index: int(id_) % 5 for index, id_ in enumerate(splits.vocabulary.items.values)}
    assert all(kind[i] == kind[j] for i, row in enumerate(found.item_neighbours.tolist()) for j in row)
    again = retrieve(splits, **options)
    np.testing.assert_array_equal(again.history_vectors, found.history_vectors)
    assert len(list(tmp_path.iterdir())) == 3  # vectors and two searches
    rows = encode_items(splits, **options)
    titles = splits.items["title"].gather(splits.vocabulary.items.values).to_list()
    np.testing.assert_allclose(rows.toarray(), TfidfVectorizer(min_df=2).fit_transform(titles).toarray(), atol=1e-6)
    items = splits.items.with_columns(title=pl.when(pl.col("item_id") < 3).then(None).otherwise("title"))
    empty = splits.vocabulary.items.find([0, 1, 2])
    fewer = retrieve(replace(splits, items=items), **options)
    assert not fewer.item_vectors[empty].any()
    assert (fewer.item_neighbours[empty] == -1).all()

"""TF-IDF: vectors of the words of a text, without a language model."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from pydantic import PositiveInt

from recpair.errors import DataError
from recpair.semantics.store import fingerprint

WORD = re.compile(r"\b\w\w+\b")
OVERSAMPLED, ITERATIONS = 10, 5  # of the subspace iteration


class Tfidf:
    """TF-IDF of the words of at least two characters, in lower case.

    x(text, word) ∝ count · (ln((1 + n) / (1 + df)) + 1), of length one, with n the number of item texts and df that of
    those with the word: scikit-learn's ``TfidfVectorizer`` at its defaults. ``rows`` returns these sparse vectors;
    ``encode`` their projection on the first ``dim`` singular vectors of the item texts (latent semantic analysis,
    Deerwester et al. 1990), for components that need dense vectors.

    Args:
        min_df: a word in fewer texts is dropped; a word of one text matches no other.
        dim: length of the dense vectors; at most the number of words.

    Raises:
        DataError: no word is in ``min_df`` texts.
    """

    def __init__(self, *, min_df: PositiveInt = 2, dim: PositiveInt = 256) -> None:
        self.min_df, self.dim = min_df, dim

    def learn(self, texts: Sequence[str]) -> None:
        """Learn the words and their weights; empty texts do not count."""
        self._texts = [text for text in texts if text]
        found = Counter(word for text in self._texts for word in set(_words(text)))
        kept = sorted(word for word, count in found.items() if count >= self.min_df)
        if not kept:
            raise DataError(
                f"semantics.min_df is {self.min_df}, but no word is in as many of the {len(self._texts):,} texts; lower it"
            )
        self._column = {word: column for column, word in enumerate(kept)}
        self._idf = np.log((1 + len(self._texts)) / (1 + np.array([found[word] for word in kept]))) + 1
        vars(self).pop("_projection", None)

    def identity(self) -> tuple[Any, ...]:
        """Return the identity, with a fingerprint of the texts learnt from."""
        return ("tfidf", self.min_df, self.dim, fingerprint(self._texts))

    def rows(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the sparse vectors, float32 (E, S) over S words; zeros for a text without known words."""
        columns = [[self._column[word] for word in _words(text) if word in self._column] for text in texts]
        indptr = np.cumsum([0, *map(len, columns)])
        flat = np.fromiter((column for row in columns for column in row), dtype=np.int32, count=indptr[-1])
        found: sp.csr_matrix = sp.csr_matrix((np.ones(len(flat)), flat, indptr), shape=(len(texts), len(self._idf)))
        found.sum_duplicates()
        found.data *= self._idf[found.indices]
        found.data /= np.sqrt(np.repeat(found.multiply(found).sum(axis=1).A1, np.diff(found.indptr)))
        return found.astype(np.float32)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "E D"]:
        vectors: np.ndarray = self.rows(texts) @ self._projection
        return vectors

    @cached_property
    def _projection(self) -> Float[np.ndarray, "_ D"]:
        """The first right singular vectors of the item texts, by subspace iteration from a fixed start."""
        rows = self.rows(self._texts).astype(np.float64)
        size = min(self.dim + OVERSAMPLED, rows.shape[1])
        basis = np.random.default_rng(0).standard_normal((rows.shape[1], size))
        for _ in range(ITERATIONS):
            basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
        image = rows @ basis
        turn = np.linalg.eigh(image.T @ image)[1][:, ::-1]
        projection: np.ndarray = basis @ turn[:, : self.dim]
        return projection.astype(np.float32)


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())

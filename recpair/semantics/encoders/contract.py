"""Interface of the text encoders."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float


@runtime_checkable
class Encoder(Protocol):
    """Constructed as ``Encoder(*, …options)``; nothing heavy is imported or loaded before the first ``encode``."""

    def identity(self) -> tuple[Any, ...]:
        """Return everything that the vectors depend on besides the texts."""
        ...

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "E D"]:
        """Return a vector per text, of any length above zero; none of the texts is empty."""
        ...


@runtime_checkable
class CorpusEncoder(Encoder, Protocol):
    """An encoder of sparse vectors, one number per word, that first learns from the texts of all items."""

    def learn(self, texts: Sequence[str]) -> None:
        """Learn from all item texts, before ``identity`` and ``encode``; empty texts do not count."""
        ...

    def rows(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the sparse vectors, float32 (E, S), of length one or zeros; ``encode`` returns dense ones of them."""
        ...


def normalised(vectors: Float[np.ndarray, "E D"]) -> Float[np.ndarray, "E D"]:
    """Return float32 vectors of length one; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)

"""Interface of the text encoders."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
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


def normalised(vectors: Float[np.ndarray, "E D"]) -> Float[np.ndarray, "E D"]:
    """Return float32 vectors of length one; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)

"""Intra-list similarity of item texts."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from recpair.evaluation.metrics.ils import mean_similarity


def ils_text(items: Int[np.ndarray, "B K"], text_vectors: Any) -> Float[np.ndarray, "B"]:
    """Mean cosine similarity of the item texts over all pairs of items in a list; in [−1, 1], low for diverse lists.

    The vectors (I, S) are those of the config section ``semantics``, so values of different models are comparable. 0 for a
    list of fewer than two items; an item without text has similarity 0 to all others.

    Source: Ziegler et al., WWW 2005, with the mean instead of the sum over pairs.
    """
    sparse = sp.issparse(text_vectors)
    squares = text_vectors.multiply(text_vectors).sum(axis=1) if sparse else (text_vectors**2).sum(axis=1)
    return mean_similarity(items, text_vectors, np.asarray(squares).ravel() > 0)

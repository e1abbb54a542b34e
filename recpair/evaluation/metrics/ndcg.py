"""Normalised discounted cumulative gain."""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float


def ndcg(gains: Float[np.ndarray, "B K"], ideal_gains: Float[np.ndarray, "B _"]) -> Float[np.ndarray, "B"]:
    """DCG = Σ gain / log₂(rank + 1), divided by the DCG of the ideal list; in [0, 1].

    Gains are 1 for relevant items (``evaluate.gain: binary``), or their ratings (``rating``). The rating is the gain itself,
    as in Järvelin & Kekäläinen (TOIS 2002), LensKit and scikit-learn, not 2^rating − 1 (Burges et al., ICML 2005), which
    overflows for play counts.

    The ideal list is cut at K (``evaluate.ideal: cut``, Järvelin & Kekäläinen), or holds all relevant items (``full``, as in
    the code of PLD). A list without any gain (all ratings are 0) has NDCG 0.
    """
    found, ideal = _discounted(gains), _discounted(ideal_gains)
    normalised: np.ndarray = np.divide(found, ideal, out=np.zeros(len(found)), where=ideal > 0)
    return normalised


def _discounted(gains: np.ndarray) -> np.ndarray:
    """Σ gain / log₂(rank + 1) of each row, added in order of ranks, so that trailing zeros do not change the result."""
    sums: np.ndarray = np.cumsum(gains * _discounts(gains.shape[1]), axis=1)[:, -1]
    return sums


@lru_cache(maxsize=8)
def _discounts(n: int) -> np.ndarray:
    """1 / log₂(rank + 1) by the C library; numpy's vectorised log2 differs from it in the last bit on some machines."""
    discounts = np.array([1.0 / math.log2(rank + 1) for rank in range(1, n + 1)])
    discounts.flags.writeable = False  # the cache is shared
    return discounts

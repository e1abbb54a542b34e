"""Maximal marginal relevance: a choice of items that are relevant and unlike each other."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

POOL = 100  # smallest number of candidates
PER_ITEM = 10  # candidates for each chosen item


def maximal_marginal_relevance(relevance: np.ndarray, similarity: np.ndarray, k: int, trade_off: float) -> np.ndarray:
    """Return the positions of k of P candidates, in the order of choice.

    The first is the most relevant one. Each further one maximises (1 − λ) · relevance − λ · max similarity to those
    already chosen; ties go to the lower position. Source: Carbonell & Goldstein, SIGIR 1998, with λ for their 1 − λ.

    Args:
        relevance: (P,), between 0 and 1.
        similarity: (P, P).
        trade_off: λ; 0 is the order of relevance.
    """
    chosen = [int(relevance.argmax())]
    gain = (1 - trade_off) * relevance
    closest = similarity[chosen[0]].copy()
    left = np.ones(len(relevance), dtype=bool)
    left[chosen] = False
    while len(chosen) < min(k, len(relevance)):
        best = int(np.where(left, gain - trade_off * closest, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        np.maximum(closest, similarity[best], out=closest)
    return np.array(chosen)


@dataclass(frozen=True)
class Diversity:
    """Choice of k items for each query from the ``pool(k)`` items with the highest scores.

    The relevance is (s − min s) / (max s − min s) over the pool of the query; 0 if all scores are equal.

    Attributes:
        similarity: function from items (P,) to similarities (P, P).
    """

    trade_off: float
    similarity: Callable[[np.ndarray], np.ndarray]

    def pool(self, k: int) -> int:
        """Return the size of the pool: 10 items for each of k, at least 100."""
        return max(POOL, PER_ITEM * k)

    def choose(self, items: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return items (B, k) and their scores from pools (B, P) in descending order; −1 marks missing items."""
        shape = len(items), min(k, items.shape[1])
        kept, best = np.full(shape, -1, dtype=np.int32), np.full(shape, -np.inf, dtype=np.float32)
        for row in range(len(items)):
            n = int((items[row] >= 0).sum())
            if n == 0:
                continue
            own, relevance = items[row, :n], scores[row, :n].astype(np.float64)
            width = relevance[0] - relevance[-1]
            relevance = (relevance - relevance[-1]) / (width if width > 0 else 1)
            order = maximal_marginal_relevance(relevance, self.similarity(own), k, self.trade_off)
            kept[row, : len(order)], best[row, : len(order)] = own[order], scores[row, order]
        return kept, best

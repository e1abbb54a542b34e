"""Top-k items of many queries, with deterministic tie-breaking."""

from collections.abc import Sequence

import numpy as np

from recpair.data.item_lists import ItemLists
from recpair.errors import TrainingError
from recpair.evaluation.kernels import top_k_few_rows, top_k_rows

WORTH_THREADS = 2**20  # number of scores above which threads are faster


def top_k(scores: np.ndarray, hidden: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best items (B, k) int32 and their scores (B, k) float32 per row; ties go to the lower item.

    Args:
        scores: (B, I) float32.
        hidden: for each row, items to exclude.

    If fewer than k items are left, or a score is −∞, the item is −1 and the score −∞.

    Raises:
        TrainingError: a score is NaN.
        ValueError: k is below 1, or the number of lists of hidden items differs from the number of rows.
    """
    lists = ItemLists.of_lists(hidden)
    return top_k_csr(scores, lists.indptr, lists.items, k)


def top_k_csr(scores: np.ndarray, indptr: np.ndarray, hidden: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """``top_k`` with the hidden items of row b, in ascending order, at ``hidden[indptr[b]:indptr[b + 1]]``."""
    if k < 1 or len(indptr) != len(scores) + 1:  # otherwise the kernel would access memory out of bounds
        raise ValueError(
            f"expected k ≥ 1 and a hidden list per row, got k = {k}, {len(indptr) - 1}, {len(scores)} rows"
        )
    items, best = np.empty((len(scores), k), dtype=np.int32), np.empty((len(scores), k), dtype=np.float32)
    nan = np.zeros(len(scores), dtype=np.bool_)
    kernel = top_k_rows if scores.size >= WORTH_THREADS else top_k_few_rows
    kernel(np.ascontiguousarray(scores, dtype=np.float32), indptr, hidden, items, best, nan)
    if nan.any():
        raise TrainingError(
            f"a score of query {int(nan.argmax())} is NaN and cannot be ranked; lower train.learning_rate"
        )
    return items, best

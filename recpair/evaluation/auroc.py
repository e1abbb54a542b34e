"""Area under the ROC curve."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Separation:
    """Separation of positives from negatives by a score.

    Attributes:
        auroc: probability that a positive scores higher than a negative; ties count half.
        precision: share of positives among as many top scores as there are positives.
    """

    auroc: float
    precision: float


def separation(score: np.ndarray, positive: np.ndarray) -> Separation:
    """AUROC and precision at the number of positives, for scores (E,) and bool labels (E,); NaN if a class is empty."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return Separation(float("nan"), float("nan"))
    from scipy.stats import rankdata  # takes a third of a second

    ranks = rankdata(score)
    auroc = (ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    top = np.argsort(-score, kind="stable")[:n_positive]
    return Separation(float(auroc), float(positive[top].mean()))

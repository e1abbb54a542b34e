"""Metrics: functions of ranked lists, one per file.

Parameters before ``*`` are supplied by name (``evaluation/legend.py``); parameters after ``*`` are options
(``metrics: [recall, {name: debiased_recall, exponent: 1}]``). A metric returns an array with one value per list
(``Float[np.ndarray, "B"]``; the mean over users is reported and per-user values are kept), or one number over all lists
(``float``). Metrics that use a value with the axis K are computed for each cut-off, the others once.
"""

from collections.abc import Callable
from typing import Any

from recpair.evaluation.metrics.coverage import coverage
from recpair.evaluation.metrics.debiased_recall import debiased_recall
from recpair.evaluation.metrics.entropy import entropy
from recpair.evaluation.metrics.gini import gini
from recpair.evaluation.metrics.hit import hit
from recpair.evaluation.metrics.ils import ils
from recpair.evaluation.metrics.ils_text import ils_text
from recpair.evaluation.metrics.map import average_precision
from recpair.evaluation.metrics.mrr import reciprocal_rank
from recpair.evaluation.metrics.ndcg import ndcg
from recpair.evaluation.metrics.novelty import novelty
from recpair.evaluation.metrics.pooled_auc import pooled_auc
from recpair.evaluation.metrics.popularity import popularity
from recpair.evaluation.metrics.precision import precision
from recpair.evaluation.metrics.recall import recall

METRICS: dict[str, Callable[..., Any]] = {
    "recall": recall,
    "precision": precision,
    "ndcg": ndcg,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "hit": hit,
    "coverage": coverage,
    "novelty": novelty,
    "popularity": popularity,
    "pooled_auc": pooled_auc,
    "gini": gini,
    "entropy": entropy,
    "ils": ils,
    "ils_text": ils_text,
    "debiased_recall": debiased_recall,
}

__all__ = ["METRICS"]

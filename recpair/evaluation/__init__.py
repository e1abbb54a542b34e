"""Evaluation: all items are ranked, every metric is computed, the value of each user is kept for paired tests."""

from recpair.evaluation.names import METRICS

__all__ = ["METRICS"]

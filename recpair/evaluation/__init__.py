"""Evaluation: all items ranked, everything measured, users kept apart for paired tests."""

from recpair.evaluation.names import METRICS

__all__ = ["METRICS"]

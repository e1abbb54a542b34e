"""Full-ranking evaluation with per-user metric values for paired tests."""

from recpair.evaluation.names import METRICS

__all__ = ["METRICS"]

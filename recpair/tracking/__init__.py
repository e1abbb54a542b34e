"""Tracking: every run in MLflow; the only place that knows it."""

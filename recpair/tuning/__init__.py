"""Hyperparameter search and comparison of methods at equal budget, on Optuna."""

"""Serving of finished runs: recommendations, similar items, scores."""

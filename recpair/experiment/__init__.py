"""Experiments: from a config to a run, and operations on runs. Only this level reads a whole config."""

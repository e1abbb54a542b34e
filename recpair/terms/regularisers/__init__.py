"""Regularisers: terms that bound the model parameters for any loss."""

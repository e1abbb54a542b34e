"""Regularisers: terms that bound what is learnt, whatever the loss."""

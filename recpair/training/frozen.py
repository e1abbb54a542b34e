"""Frozen model that components receive as ``reference``."""

import copy

import torch

from recpair.batch import Batch
from recpair.models import GradientModel, Model, Scorer


class Frozen:
    """A model that is not trained, passed to components as ``reference``.

    By default it is a copy of the trained model, updated at the start of each epoch, so a checkpoint does not need to
    contain it.

    Args:
        model: the trained model.
        other: a model that is the reference instead, in all epochs.
    """

    def __init__(self, model: GradientModel, other: Model | None = None) -> None:
        self.follows = other is None
        self.model = (copy.deepcopy(model) if other is None else other).requires_grad_(False).eval()

    def freeze(self, model: GradientModel) -> None:
        """Copy the weights of the model, unless the reference is another model."""
        self.model.to(next(model.parameters()).device)
        if self.follows:
            self.model.load_state_dict(model.state_dict())
        self.model.eval()

    @torch.no_grad()
    def score(self, batch: Batch) -> Scorer:
        """Return the scorer of a batch, without gradient."""
        return self.model.score(batch)

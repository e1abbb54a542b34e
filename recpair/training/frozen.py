"""Frozen copy of the model from the start of the epoch."""

import copy

import torch

from recpair.batch import Batch
from recpair.models import GradientModel, Scorer


class Frozen:
    """A copy of the model that is not trained, passed to components as ``reference``.

    It is updated from the model at the start of each epoch, so a checkpoint does not need to contain it.
    """

    def __init__(self, model: GradientModel) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def freeze(self, model: GradientModel) -> None:
        """Copy the weights of the model."""
        self.model.to(next(model.parameters()).device)
        self.model.load_state_dict(model.state_dict())
        self.model.eval()

    @torch.no_grad()
    def score(self, batch: Batch) -> Scorer:
        """Return the scorer of a batch, without gradient."""
        return self.model.score(batch)

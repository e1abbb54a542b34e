"""The model as it was at the start of the epoch."""

import copy

import torch

from recpair.batch import Batch
from recpair.models import GradientModel, Scorer


class Frozen:
    """A copy of the model that does not learn: what a component gets as ``reference``.

    It is made anew from the model at the start of each epoch, so a checkpoint does not need to hold it.
    """

    def __init__(self, model: GradientModel) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def freeze(self, model: GradientModel) -> None:
        """Take over the weights of the model."""
        self.model.to(next(model.parameters()).device)
        self.model.load_state_dict(model.state_dict())
        self.model.eval()

    @torch.no_grad()
    def score(self, batch: Batch) -> Scorer:
        """The scorer of a batch, without gradient."""
        return self.model.score(batch)

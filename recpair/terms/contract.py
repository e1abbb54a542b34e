"""What a term is: anything that is added to the loss with a weight, for every model that gives what it names."""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from recpair.models import GradientModel


class Term(nn.Module, ABC):
    """A scalar in nats, added to the loss with its weight and logged under its own label.

    What ``__init__`` and ``forward`` name before ``*`` is supplied by recpair (``step.SUPPLIES``); what ``__init__``
    names after ``*`` is a config key. What a term learns are its parameters; tables that it looks things up in are
    buffers that are not saved. All draws take ``generator=seeds.generator(device)``, which the loop restarts by
    (seed, epoch).
    """

    @abstractmethod
    def forward(self, *supplied: Any, **named: Any) -> Float[Tensor, ""]:
        """Return what the batch adds to the loss; subclasses name what they need."""

    def prepare(self, model: GradientModel) -> None:
        """Prepare an epoch, before its first step; most terms have nothing to prepare."""

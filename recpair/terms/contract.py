"""Interface of terms, which are added to the loss with a weight, for all models that supply their parameters."""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from recpair.models import GradientModel


class Term(nn.Module, ABC):
    """A scalar in nats, added to the loss with a weight and logged under a label.

    Parameters of ``__init__`` and ``forward`` before ``*`` are supplied by recpair (``step.SUPPLIES``); parameters of
    ``__init__`` after ``*`` are config keys. Learned values are module parameters; lookup tables are non-persistent
    buffers. All draws use ``generator=seeds.generator(device)``, which the training loop reseeds by (seed, epoch).
    """

    @abstractmethod
    def forward(self, *supplied: Any, **named: Any) -> Float[Tensor, ""]:
        """Return the term for the batch; subclasses declare the parameters they require."""

    def prepare(self, model: GradientModel) -> None:
        """Prepare an epoch, before its first step; does nothing by default."""

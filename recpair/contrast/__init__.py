"""Contrast terms: ``(model, scorer, batch) -> scalar``, added to the loss under their own name."""

from collections.abc import Callable

from torch import Tensor

from recpair.batch import Batch
from recpair.models import Model, Scorer

Term = Callable[[Model, Scorer, Batch], Tensor]

TERMS: dict[str, Callable[..., Term]] = {}

__all__ = ["TERMS", "Term"]

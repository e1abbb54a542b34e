"""A loss function bound to its options, as called by the objective."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recpair.losses import Loss, Pointwise, kind_of
from recpair.step import Step


@dataclass(frozen=True)
class BoundLoss:
    """A loss function, the values of its options, and its kind (``losses.KINDS``)."""

    function: Loss
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind_of(self.function)

    @property
    def kind(self) -> str:
        return kind_of(self.function)

    @property
    def pointwise(self) -> bool:
        return isinstance(self.function, Pointwise)

    def __call__(self, step: Step) -> Tensor:
        """Return losses (Q, P), (Q,) or a scalar, depending on the kind."""
        losses: Tensor = step.supply(self.function, self.options)
        return losses

    def per_candidate(self, step: Step) -> Float[Tensor, "Q P"]:
        """Return the loss of each positive separately (Q, P), as used by denoisers and the audit."""
        if self.kind == "Q P":
            return self(step)
        columns = torch.arange(step.batch.positives.shape[1], device=step.batch.user.device)
        alone = [step.batch.take(column.expand(len(step.batch), 1)) for column in columns]
        return torch.stack([self(step.on(batch, neg=step.neg)) for batch in alone], dim=1)

    def side(self, of: str, step: Step) -> Tensor:
        """Return one side of a pointwise loss: of the ``positive`` scores (Q, P) or the ``negative`` ones (Q, N)."""
        function = getattr(self.function, of)
        named = signature(function).parameters
        options = {name: value for name, value in self.options.items() if name in named}
        losses: Tensor = step.supply(function, options, s=step.pos if of == "positive" else step.neg)
        return losses

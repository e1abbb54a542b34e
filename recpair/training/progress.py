"""Progress of a training run, and its best weights."""

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class Progress:
    """State of a run after its last complete epoch.

    Attributes:
        epoch: number of completed epochs.
        best_epoch, best_value: of the monitored validation metric; 0 before the first validation.
        stale: validations since the best one.
        stopped: whether the log has ended training.
        history: one ``(epoch, metric, value)`` per epoch and metric.
        epoch_seconds: training time of each epoch, excluding validation.
        best_weights: the state dict at the best epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    stale: int = 0
    history: list[tuple[int, str, float]] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    samples: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    stopped: bool = False

    def log(self, values: dict[str, float]) -> None:
        self.history.extend((self.epoch, name, value) for name, value in values.items())

    def observe(self, value: float | None, module: nn.Module) -> None:
        """Store the weights if this is the best value so far (a later tie is not better), or if the value is None."""
        if value is None or value > self.best_value:
            self.best_value = self.best_value if value is None else value
            self.best_epoch, self.stale = self.epoch, 0
            self.best_weights = {name: t.detach().cpu().clone() for name, t in module.state_dict().items()}
        else:
            self.stale += 1

    def to_dict(self) -> dict[str, Any]:
        names = ("epoch", "best_epoch", "best_value", "stale", "history", "epoch_seconds", "samples", "stopped")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, values: dict[str, Any], best_weights: dict[str, Tensor]) -> "Progress":
        history = [(int(epoch), str(metric), float(value)) for epoch, metric, value in values["history"]]
        return cls(**(values | {"history": history}), best_weights=best_weights)

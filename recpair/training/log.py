"""Logging interface of the training loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Log(Protocol):
    """Receives the progress and the metrics of each epoch."""

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Report that ``done`` of the ``steps`` of an epoch are completed."""
        ...

    def epoch(self, number: int, values: dict[str, float]) -> bool | None:
        """Report the end of an epoch (from 1); ``values`` by name, such as ``train/loss`` and ``valid/ndcg@10``.

        Returns:
            True to end training after this epoch, as early stopping does.
        """
        ...


@dataclass(frozen=True)
class MultiLog:
    """Forward every call to several logs; without any, do nothing."""

    logs: Sequence[Log] = ()

    def step(self, epoch: int, done: int, steps: int) -> None:
        for log in self.logs:
            log.step(epoch, done, steps)

    def epoch(self, number: int, values: dict[str, float]) -> bool:
        stops = [bool(log.epoch(number, values)) for log in self.logs]  # every log receives the epoch
        return any(stops)

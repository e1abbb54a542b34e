"""Where the numbers of an epoch go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Log(Protocol):
    """Hears how far an epoch has come, and what it gave."""

    def step(self, epoch: int, done: int, steps: int) -> None:
        """``done`` of the ``steps`` of an epoch are taken."""
        ...

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """An epoch (from 1) is over; ``values`` by name, such as ``train/loss`` and ``valid/ndcg@10``."""
        ...


@dataclass(frozen=True)
class MultiLog:
    """Several logs that hear the same; with none, silence."""

    logs: Sequence[Log] = ()

    def step(self, epoch: int, done: int, steps: int) -> None:
        for log in self.logs:
            log.step(epoch, done, steps)

    def epoch(self, number: int, values: dict[str, float]) -> None:
        for log in self.logs:
            log.epoch(number, values)

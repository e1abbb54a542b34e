"""What a tracker hears of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from recpair.training.log import Log


class Tracker(Log, Protocol):
    """A log that also hears how a run begins and ends; as a context, it learns of a failure.

    Attributes:
        run_id: the tracked run's, or None while there is none.
    """

    run_id: str | None

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data: Mapping[str, Any],
        run_id: str | None = None,
    ) -> None:
        """Open a run, or go on with ``run_id``; write what is known before training."""
        ...

    def finish(self, folder: Path, metrics: Mapping[str, float]) -> None:
        """The final metrics and the run folder, then the end of the run."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: Any) -> None: ...


class Untracked:
    """Hears everything and keeps nothing (``tracking: null``)."""

    run_id: str | None = None

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data: Mapping[str, Any],
        run_id: str | None = None,
    ) -> None:
        """Nothing is opened."""

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Nothing is kept."""

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """Nothing is kept."""

    def finish(self, folder: Path, metrics: Mapping[str, float]) -> None:
        """Nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """There is nothing to close."""

"""What a tracker hears of a run."""

from collections.abc import Mapping, Sequence
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

    def status(self, run_id: str) -> str | None:
        """RUNNING, FINISHED, FAILED or KILLED; None if there is no such tracked run."""
        ...

    def finish(self, folder: Path, metrics: Mapping[str, float], names: Sequence[Path], description: str = "") -> None:
        """Write the final metrics, the description and the files ``names`` of the folder, then end the run."""
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

    def status(self, run_id: str) -> None:
        """There is no tracked run."""

    def finish(self, folder: Path, metrics: Mapping[str, float], names: Sequence[Path], description: str = "") -> None:
        """Nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """There is nothing to close."""

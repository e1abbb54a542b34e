"""Protocol of trackers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from recpair.training.log import Log


class Tracker(Log, Protocol):
    """Log that also receives the start and end of a run; as a context manager, it records failures.

    Attributes:
        run_id: id of the tracked run, or None.
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
        """Create a run, or continue ``run_id``; write parameters, tags and data."""
        ...

    def status(self, run_id: str) -> str | None:
        """Return RUNNING, FINISHED, FAILED or KILLED; None if the tracked run does not exist."""
        ...

    def finish(self, folder: Path, metrics: Mapping[str, float], names: Sequence[Path], description: str = "") -> None:
        """Write the final metrics, the description and the files ``names`` of the folder, then end the run."""
        ...

    def add_model(self, folder: Path, metrics: Mapping[str, float], best_epoch: int, run_id: str | None = None) -> bool:
        """Add the model of a run folder with its metrics to the run, or to ``run_id``; return True if it was added."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: Any) -> None: ...


class Untracked:
    """Tracker that ignores all calls (``tracking: null``)."""

    run_id: str | None = None

    def start(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        data: Mapping[str, Any],
        run_id: str | None = None,
    ) -> None:
        """Do nothing."""

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Do nothing."""

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """Do nothing."""

    def status(self, run_id: str) -> None:
        """Return None."""

    def finish(self, folder: Path, metrics: Mapping[str, float], names: Sequence[Path], description: str = "") -> None:
        """Do nothing."""

    def add_model(self, folder: Path, metrics: Mapping[str, float], best_epoch: int, run_id: str | None = None) -> bool:
        """Do nothing, and return False."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Do nothing."""

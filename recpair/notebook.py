"""Progress bar and notes in notebooks, where a terminal progress bar would print one line per update."""

import html
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recpair import processes
from recpair.errors import one_line

INTERVAL = 0.2  # seconds between two updates of the bar


def in_notebook() -> bool:
    """Return True on rank 0 of code in an IPython kernel, whose front end displays HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None and processes.is_first()


class NotebookBar:
    """Progress bar over epochs with the last loss and validation metric, updated in place in the cell output."""

    def __init__(self, epochs: int, monitor: str | None) -> None:
        self.epochs, self.monitor = epochs, monitor
        self.done, self.text = 0.0, ""
        self.best: tuple[float, int] | None = None
        self.started, self.updated = time.monotonic(), float("-inf")
        self.shown: Any = None

    def step(self, epoch: int, done: int, steps: int) -> None:
        self.done = epoch - 1 + done / steps
        if time.monotonic() - self.updated >= INTERVAL:
            self._update()

    def epoch(self, number: int, values: dict[str, float]) -> None:
        self.done, self.text = number, f"loss {values['train/loss']:.4f}"
        if (value := values.get(f"valid/{self.monitor}")) is not None:
            if self.best is None or value > self.best[0]:
                self.best = value, number
            self.text += f" · valid {self.monitor} {value:.4f} (best {self.best[0]:.4f} in epoch {self.best[1]})"
        if time.monotonic() - self.updated >= INTERVAL:
            self._update()

    def close(self) -> None:
        """Show the final values; nothing if no epoch was trained."""
        if self.done:
            self._update()

    def _update(self) -> None:
        from IPython.display import HTML, display

        seconds = time.monotonic() - self.started
        text = f"epoch {int(self.done)}/{self.epochs} · {self.text} · {seconds:.0f} s"
        bar = HTML(f"<progress value='{self.done:.3f}' max='{self.epochs}'></progress> {html.escape(text)}")
        if self.shown is None:
            self.shown = display(bar, display_id=True)
        else:
            self.shown.update(bar)
        self.updated = time.monotonic()


class _Printer(logging.Handler):
    """Handler that prints notes and warnings of recpair to the cell output."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "warning" if record.levelno >= logging.WARNING else "note"
        print(f"{kind}: {one_line(record.getMessage(), 1000)}")


@contextmanager
def progress(epochs: int, monitor: str | None) -> Iterator[NotebookBar]:
    """Show notes and a progress bar in a block; restores the settings of the ``recpair`` logger afterwards."""
    logger, printer = logging.getLogger("recpair"), _Printer()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(printer)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    bar = NotebookBar(epochs, monitor)
    try:
        yield bar
    finally:
        bar.close()
        logger.removeHandler(printer)
        logger.setLevel(level)
        logger.propagate = propagate

"""Output of the command line: notes, progress bars, tables."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from recpair import processes
from recpair.errors import one_line

if TYPE_CHECKING:
    import polars as pl

QUIET = not processes.is_first()  # only rank 0 prints
# Titles, paths and names are data: [brackets] and :colons: in them are not markup.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, quiet=QUIET)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True, quiet=QUIET)


class NoteHandler(logging.Handler):
    """Handler that prints notes and warnings of recpair, one per line."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        kind = "warning" if record.levelno >= logging.WARNING else "note"
        errors.print(f"{kind}: {one_line(record.getMessage(), 1000)}", style=style)


@contextmanager
def notes() -> Iterator[None]:
    """Print the messages of the ``recpair`` logger, without changing the root logger."""
    logger, handler = logging.getLogger("recpair"), NoteHandler()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class EpochBar:
    """Progress bar over epochs with the last loss and validation metric; without a terminal, one line per epoch."""

    def __init__(self, epochs: int, monitor: str | None) -> None:
        self.epochs, self.monitor = epochs, monitor
        self.best = float("-inf")
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.task = self.bar.add_task("epoch", total=epochs, shown="")

    def __enter__(self) -> "EpochBar":
        if console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def step(self, epoch: int, done: int, steps: int) -> None:
        self.bar.update(self.task, completed=epoch - 1 + done / steps)

    def epoch(self, number: int, values: dict[str, float]) -> None:
        if number == 1:  # of another seed or fold
            self.best = float("-inf")
        shown = f"loss {values['train/loss']:.4f}"
        value = values.get(f"valid/{self.monitor}")
        if value is not None:
            star = " [green]*[/]" if value > self.best else "  "
            self.best = max(self.best, value)
            shown += f"  valid {self.monitor} {value:.4f}{star}"
        self.bar.update(self.task, completed=number, shown=shown)
        if not console.is_terminal:
            console.print(f"epoch {number:>4}/{self.epochs}  {shown}", markup=True)


class DownloadBar:
    """Progress bar for each downloaded file; called with the file, the bytes so far and the total bytes."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "DownloadBar":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def __call__(self, file: str, done: int, total: int | None) -> None:
        if file not in self.tasks:
            self.tasks[file] = self.bar.add_task(file, total=total)
        self.bar.update(self.tasks[file], completed=done, total=total)


class StageBar:
    """Progress bar for each part of the semantic stage; hidden without a terminal."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=errors,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "StageBar":
        if errors.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if errors.is_terminal:  # stopping a bar that was not started prints an empty line
            self.bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bar.add_task(what, total=total)
        self.bar.update(self.tasks[what], completed=done, total=total)


def metric_table(title: str, columns: Mapping[str, Mapping[str, float]]) -> None:
    """Print metrics as rows and models as columns; a single line if there are no metrics."""
    if not any(columns.values()):
        console.print(f"{title}: none, as nothing was held out")
        return
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for name in columns:
        table.add_column(name, justify="right")
    for metric in next(iter(columns.values())):
        table.add_row(metric, *(f"{values[metric]:.4f}" for values in columns.values()))
    console.print(table)


def training_line(metrics: Mapping[str, Any], monitor: str | None) -> str:
    """Line with the epoch that was kept, seconds per epoch and samples per second; closed-form models have no epochs."""
    if not metrics["epochs"]:
        return "fitted without epochs"
    timing, kept = metrics["timing"], "best epoch" if monitor else "kept the last epoch,"
    line = f"{kept} {metrics['best_epoch']} of {metrics['epochs']}, {timing['epoch_s']:.2f} s an epoch"
    return f"{line}, {timing['samples_per_s']:,.0f} samples/s"


def frame_table(title: str, frame: "pl.DataFrame") -> None:
    """Print a polars frame: numbers with four decimals, values below 0.001 in scientific notation."""
    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        table.add_column(name.replace("_", " "), justify="left" if str(frame[name].dtype) == "String" else "right")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
    return "" if value is None else one_line(str(value), 1000)


def pair_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("name")
    table.add_column("value")
    for name, value in rows:
        table.add_row(name, one_line(value, 1000))
    console.print(table)


def histogram(title: str, bins: Sequence[tuple[int, int, int]]) -> None:
    """Print a histogram of users or items by number of events."""
    most = max(count for *_, count in bins) or 1
    console.print(title, style="bold")
    for low, high, count in bins:
        label = f"{low:,}" if low == high else f"{low:,}–{high:,}"
        console.print(f"  {label:>15}  {'█' * round(40 * count / most):<40}  {count:,}")

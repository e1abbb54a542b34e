"""Interleaved timing of callables, and a Markdown page with the results."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def alternate(callables: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each callable, taken in turns, so that a busy machine is busy for all."""
    seconds: dict[str, list[float]] = {name: [] for name in callables}
    for _ in range(rounds):
        for name, act in callables.items():
            started = time.perf_counter()
            act()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def summary(seconds: Sequence[float]) -> str:
    """Median, with minimum and maximum, in seconds."""
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f}–{max(seconds):.3f})"


def peak_memory() -> str:
    """The most memory that this process has held so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def page(path: Path, title: str, command: str, lines: Sequence[str]) -> None:
    """Write the page and print it."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, a shared machine"
    text = "\n".join([f"# {title}", "", f"`{command}`", "", f"Measured on {machine}: read the ratios.", "", *lines, ""])
    path.write_text(text, encoding="utf-8")
    print(text)

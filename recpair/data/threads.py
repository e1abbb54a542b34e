"""Execution of independent tasks on several threads; the tasks release the GIL."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

T = TypeVar("T")

SMALL = 2**20  # number of events from which threads are used


def on_threads(tasks: Sequence[Callable[[], T]], n_events: int) -> list[T]:
    """Return the results of the tasks in order, run on one thread per core, or sequentially for few events."""
    n_threads = min(len(tasks), _cores())
    if n_threads < 2 or n_events < SMALL:
        return [task() for task in tasks]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda task: task(), tasks))


def blocks_of_users(indptr: np.ndarray, n_events: int = SMALL) -> list[tuple[int, int]]:
    """Partition the users of a CSR (U + 1,) into ranges first … end − 1 of about n_events events each."""
    wanted = np.arange(n_events, indptr[-1], n_events)
    borders = np.unique(np.concatenate([[0], np.searchsorted(indptr, wanted), [len(indptr) - 1]]))
    return list(pairwise(borders.tolist())) or [(0, 0)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

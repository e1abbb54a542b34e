"""Products whose sums have the same order on any number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import scipy.linalg  # noqa: F401  (loads its BLAS before the controller looks for them)
from threadpoolctl import ThreadpoolController

_LIMITS = threading.RLock()  # of several threads, one at a time changes what all share


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS and LAPACK use one thread inside, so that a result does not depend on how many there are."""
    with _LIMITS, _controller().limit(limits=1, user_api="blas"):
        yield


def gram(matrix: np.ndarray) -> np.ndarray:
    """XᵀX, the same bytes on any number of threads."""
    with one_thread():
        product: np.ndarray = matrix.T @ matrix
    return product


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()

"""Matrix products that do not depend on the number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import scipy.linalg  # noqa: F401  (loads its BLAS before the controller looks for them)
from threadpoolctl import ThreadpoolController

_LIMITS = threading.RLock()  # the limits are process-wide: one thread changes them at a time


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS and LAPACK to one thread, so that results do not depend on the number of threads."""
    with _LIMITS, _controller().limit(limits=1, user_api="blas"):
        yield


def gram(matrix: np.ndarray) -> np.ndarray:
    """Return XᵀX, bitwise identical for any number of threads."""
    with one_thread():
        product: np.ndarray = matrix.T @ matrix
    return product


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()

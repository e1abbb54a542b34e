"""Threads of a worker process; imports no library that starts threads."""

import os


def limit_threads(threads: int) -> None:
    """Limit the threads of torch and numba in a process that has not imported them yet."""
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        given = os.environ.get(variable, "")
        os.environ[variable] = str(min(threads, int(given)) if given.isdigit() and int(given) else threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

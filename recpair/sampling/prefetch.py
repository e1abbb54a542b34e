"""Batches drawn ahead of the training step, in a background thread."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class _End:
    """Nothing comes after this."""


def prefetch(batches: Iterator[T], ahead: int = 4) -> Iterator[T]:
    """The same items in the same order, up to ``ahead`` of them made before they are asked for.

    The sampling kernels release the GIL and run on one thread each, so they fill the time in which the
    training step waits, and never enter Numba's thread pool beside another caller. An error of
    ``batches`` is raised here. The thread has ended when the last item is given or the iteration is left.
    """
    ready: queue.Queue[T | _Failure | _End] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(entry: T | _Failure | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
        except BaseException as error:  # handed to the consumer, whatever it is
            put(_Failure(error))
            return
        put(_End())

    thread = threading.Thread(target=work, name="recpair-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            entry = ready.get()
            if isinstance(entry, _Failure):
                raise entry.error
            if isinstance(entry, _End):
                return
            yield entry
    finally:
        stop.set()
        thread.join()

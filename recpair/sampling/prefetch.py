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
    """End of the iteration."""


def prefetch(batches: Iterator[T], ahead: int = 4) -> Iterator[T]:
    """Yield the same items in the same order, with up to ``ahead`` of them computed in advance.

    The sampling kernels release the GIL and are single-threaded, so they run while the training step waits, and never
    enter Numba's thread pool together with another caller. Errors of ``batches`` are raised here. The thread has ended
    when the last item is returned or the iteration is abandoned.
    """
    ready: queue.SimpleQueue[T | _Failure | _End] = queue.SimpleQueue()
    # A slot is acquired before an item is computed. A bounded queue does so after, and so computes one item too many.
    places = threading.Semaphore(ahead)
    stop = threading.Event()

    def work() -> None:
        try:
            places.acquire()
            for batch in batches:
                ready.put(batch)
                places.acquire()
                if stop.is_set():
                    return
        except BaseException as error:  # any exception is passed on to the consumer
            ready.put(_Failure(error))
            return
        ready.put(_End())

    thread = threading.Thread(target=work, name="recpair-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            places.release()  # for the item requested now
            entry = ready.get()
            if isinstance(entry, _Failure):
                raise entry.error
            if isinstance(entry, _End):
                return
            yield entry
    finally:
        stop.set()
        places.release()  # wakes a thread that waits for a slot
        thread.join()

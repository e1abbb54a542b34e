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
    ready: queue.SimpleQueue[T | _Failure | _End] = queue.SimpleQueue()
    # A place is taken before an item is made. A bounded queue takes it after, and so makes one more than it holds.
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
        except BaseException as error:  # handed to the consumer, whatever it is
            ready.put(_Failure(error))
            return
        ready.put(_End())

    thread = threading.Thread(target=work, name="recpair-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            places.release()  # for the item that is asked for now
            entry = ready.get()
            if isinstance(entry, _Failure):
                raise entry.error
            if isinstance(entry, _End):
                return
            yield entry
    finally:
        stop.set()
        places.release()  # wakes a thread that waits for a place
        thread.join()

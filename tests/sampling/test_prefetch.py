"""Prefetching changes when batches are made, and nothing else."""

import threading
import time

import pytest

from recpair.sampling.prefetch import prefetch


def running() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "recpair-prefetch"]


def test_the_order_stays_and_the_thread_ends():
    assert list(prefetch(iter(range(100)), ahead=3)) == list(range(100))
    assert running() == []


def test_an_error_reaches_the_consumer_in_its_place():
    def batches():
        yield 1
        raise ValueError("third shelf")

    received = prefetch(batches())
    assert next(received) == 1
    with pytest.raises(ValueError, match="third shelf"):
        next(received)
    assert running() == []


def test_at_most_so_many_are_made_ahead():
    made = []

    def batches():
        for i in range(50):
            made.append(i)
            yield i

    received = prefetch(batches(), ahead=2)
    next(received)
    time.sleep(0.2)
    assert len(made) <= 1 + 2 + 1  # given, waiting, and the one in hand
    received.close()


def test_leaving_early_ends_the_thread():
    def endless():
        while True:
            yield 0

    received = prefetch(endless())
    next(received)
    received.close()
    assert running() == []

"""Prefetching changes when batches are made, and nothing else."""

import threading
import time
from contextlib import closing
from itertools import islice

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


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_so_many_are_made_ahead_and_not_one_more(ahead):
    made = []

    def batches():
        for i in range(50):
            made.append(i)
            yield i

    with closing(prefetch(batches(), ahead=ahead)) as received:
        for given in (1, 2):
            next(received)
            deadline = time.monotonic() + 5
            while len(made) < given + ahead and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.05)  # time in which one too many would show
            assert len(made) == given + ahead


def test_leaving_early_ends_the_thread():
    def endless():
        while True:
            yield 0

    received = prefetch(endless())
    next(received)
    assert running() == ["recpair-prefetch"]
    received.close()
    assert running() == []


def test_the_thread_has_ended_before_what_comes_after_the_epoch():
    """As the loop takes it: exactly so many steps, and then validation, without asking for the end."""
    for steps in (3, 50):
        assert len(list(islice(prefetch(iter(range(50))), steps))) == steps
        assert running() == []


def test_the_thread_keeps_nobody_from_leaving_python():
    with closing(prefetch(iter(range(50)))) as received:
        next(received)
        assert [t.daemon for t in threading.enumerate() if t.name == "recpair-prefetch"] == [True]

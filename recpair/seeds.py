"""Random numbers of a run: all follow from (seed, epoch), whatever else draws in the process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch


def derive(seed: int, *path: int) -> int:
    """A 63-bit seed for one place of a run, independent of every other place's."""
    state = np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


class Generators:
    """One torch generator per device, all with the same seed: the streams that ``torch.manual_seed`` would start."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._by_device: dict[torch.device, torch.Generator] = {}

    def on(self, device: torch.device) -> torch.Generator:
        """The generator of a device, made at its first draw."""
        if device not in self._by_device:
            self._by_device[device] = torch.Generator(device).manual_seed(self.seed)
        return self._by_device[device]

    def restart(self, seed: int) -> None:
        """Start the streams of all devices anew."""
        self.seed = seed
        for generator in self._by_device.values():
            generator.manual_seed(seed)


CPU = torch.device("cpu")
# Each thread has its own value, so runs in several threads of one process draw independently.
_RUN: ContextVar[Generators | None] = ContextVar("recpair.seeds", default=None)
_PROCESS = threading.RLock()


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Draw inside from generators that belong to this block; torch's process-wide generators are left alone."""
    token = _RUN.set(Generators(seed))
    try:
        yield
    finally:
        _RUN.reset(token)


def generator(device: torch.device = CPU) -> torch.Generator | None:
    """The run's generator on a device, for the ``generator`` argument of a draw; outside a run None, torch's own."""
    run = _RUN.get()
    return None if run is None else run.on(device)


def restart(seed: int) -> None:
    """Start the run's streams anew, at an epoch for example; only inside ``isolated``."""
    run = _RUN.get()
    assert run is not None, "draws of a run happen inside isolated()"
    run.restart(seed)


@contextmanager
def process_wide(seed: int) -> Iterator[None]:
    """Seed torch's process-wide generators for code that cannot draw from others, and put them back afterwards.

    One thread at a time is inside; the others wait.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with _PROCESS, torch.random.fork_rng(devices=devices):
        token = _RUN.set(None)
        try:
            torch.manual_seed(seed)
            yield
        finally:
            _RUN.reset(token)


@contextmanager
def lent(device: torch.device) -> Iterator[None]:
    """Let a CUDA kernel that takes no generator (fused attention) draw the run's numbers; outside a run torch's own.

    The state of the device's process-wide generator is exchanged for the run's, and back; one thread at a time is inside.
    """
    run = generator(device)
    if run is None:
        yield
        return
    with _PROCESS, torch.random.fork_rng(devices=[device]):
        torch.cuda.set_rng_state(run.get_state(), device)
        yield
        run.set_state(torch.cuda.get_rng_state(device))

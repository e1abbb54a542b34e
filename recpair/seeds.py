"""Random numbers of a run, which depend on (seed, epoch) only, whatever else draws in the process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch


def derive(seed: int, *path: int) -> int:
    """Return a 63-bit seed for one place of a run, independent of those of all other places."""
    state = np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


class Generators:
    """One torch generator per device, all with the same seed: the streams that ``torch.manual_seed`` would start."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._by_device: dict[torch.device, torch.Generator] = {}

    def on(self, device: torch.device) -> torch.Generator:
        """Return the generator of a device, created on first use."""
        if device not in self._by_device:
            self._by_device[device] = torch.Generator(device).manual_seed(self.seed)
        return self._by_device[device]

    def restart(self, seed: int) -> None:
        """Restart the streams of all devices."""
        self.seed = seed
        for generator in self._by_device.values():
            generator.manual_seed(seed)


CPU = torch.device("cpu")
# Each thread has its own value, so runs in several threads of one process draw independently.
_RUN: ContextVar[Generators | None] = ContextVar("recpair.seeds", default=None)
_PROCESS = threading.RLock()


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Draw from generators that belong to this context; torch's process-wide generators are left unchanged."""
    token = _RUN.set(Generators(seed))
    try:
        yield
    finally:
        _RUN.reset(token)


def generator(device: torch.device = CPU) -> torch.Generator | None:
    """Return the run's generator on a device, as the ``generator`` argument of a draw; None (torch's) outside a run."""
    run = _RUN.get()
    return None if run is None else run.on(device)


def restart(seed: int) -> None:
    """Restart the run's streams, for example at an epoch; only inside ``isolated``."""
    run = _RUN.get()
    assert run is not None, "draws of a run happen inside isolated()"
    run.restart(seed)


@contextmanager
def process_wide(seed: int) -> Iterator[None]:
    """Seed torch's process-wide generators for code that cannot draw from others, and restore them afterwards.

    Only one thread can be inside at a time; others block.
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
    """Let a CUDA kernel without a ``generator`` argument (fused attention) use the run's; outside a run, torch's.

    The state of the device's process-wide generator is exchanged for the run's and restored; only one thread can be
    inside at a time.
    """
    run = generator(device)
    if run is None:
        yield
        return
    with _PROCESS, torch.random.fork_rng(devices=[device]):
        torch.cuda.set_rng_state(run.get_state(), device)
        yield
        run.set_state(torch.cuda.get_rng_state(device))

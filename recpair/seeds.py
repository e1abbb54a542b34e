"""Every random number of a run follows from (seed, epoch)."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *path: int) -> int:
    """A 63-bit seed for one place of a run, independent of every other place's."""
    state = np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0]
    return int(state >> np.uint64(1))


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed torch for the block, and give the caller's generators back as they were."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield

"""No denoising, as a named choice for tables and sweeps."""

import torch

from recpair.denoising.contract import Choice, Pool


class Plain:
    """Trains on all interactions with equal weight, as without ``denoise``."""

    def __init__(self, n_events: int = 0) -> None:
        self.candidates = 1
        self.start_epoch = 0

    def choose(self, pool: Pool) -> Choice:
        return Choice(torch.zeros_like(pool.rows))

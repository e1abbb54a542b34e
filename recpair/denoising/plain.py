"""No denoising, under a name of its own for tables and sweeps."""

import torch

from recpair.denoising.contract import Choice, Pool


class Plain:
    """Trains on every interaction alike: the same as leaving ``denoise`` out."""

    def __init__(self, n_events: int = 0) -> None:
        self.candidates = 1
        self.start_epoch = 0

    def choose(self, pool: Pool) -> Choice:
        return Choice(torch.zeros_like(pool.rows))

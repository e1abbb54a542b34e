"""Synchronisation of per-interaction statistics across ranks."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from recpair.training.objective import Objective

if TYPE_CHECKING:
    from recpair.training.launch import Fabric


class SharedSums:
    """Sums, at the end of an epoch, of what all ranks have added to the buffers of the memory and the denoiser.

    Within an epoch, a denoiser sees all visits of earlier epochs, but only its own rank's visits of the current one.
    """

    def __init__(self, objective: Objective, fabric: "Fabric") -> None:
        parts = [part for part in (objective.memory, objective.denoiser) if isinstance(part, nn.Module)]
        self.fabric = fabric
        self.buffers = [buffer for part in parts for buffer in part.buffers()] if fabric.world_size > 1 else []
        self.before = [buffer.clone() for buffer in self.buffers]

    @torch.no_grad()
    def combine(self) -> None:
        for buffer, before in zip(self.buffers, self.before, strict=True):
            before += self.fabric.all_reduce(buffer - before, reduce_op="sum")
            buffer.copy_(before)

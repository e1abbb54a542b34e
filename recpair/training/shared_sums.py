"""What several processes remember of the training interactions, brought together."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from recpair.training.objective import Objective

if TYPE_CHECKING:
    from recpair.training.launch import Fabric


class SharedSums:
    """Adds up, at the end of an epoch, what every process has added to the memory's and the denoiser's buffers.

    Within an epoch a denoiser sees all visits of earlier epochs, and of this one those of its own process.
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

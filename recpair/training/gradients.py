"""Sparse gradients of tables, made dense in memory that stays."""

import torch
from torch import Tensor, nn


class DenseGradients:
    """Replaces sparse gradients by dense ones before the optimiser steps, in one buffer per parameter."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._buffers: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def fill(self) -> None:
        """Add the rows of each sparse gradient, in their order, into the parameter's buffer."""
        for parameter in self.module.parameters():
            gradient = parameter.grad
            if gradient is None or not gradient.is_sparse:
                continue
            if parameter not in self._buffers:
                self._buffers[parameter] = torch.zeros_like(parameter)
            buffer = self._buffers[parameter].zero_()
            buffer.index_add_(0, gradient._indices()[0], gradient._values())
            parameter.grad = buffer

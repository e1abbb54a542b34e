"""Adds up what the steps of an epoch report, without waiting for the device."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from recpair.training.launch import Fabric


class Ledger:
    """Means over the steps of an epoch, weighted by their queries; remembers the first bad step.

    What is asked of it is answered over all processes, which have as many steps each and ask at the same time.
    """

    def __init__(self, fabric: "Fabric") -> None:
        self.fabric = fabric
        self.queries = 0
        self._sums: dict[str, Tensor] = {}
        self._losses: list[Tensor] = []

    def add(self, parts: dict[str, Tensor], queries: int) -> None:
        self.queries += queries
        self._losses.append(parts["loss"].detach())
        for name, value in parts.items():
            weighted = value.detach().double() * queries
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted

    def first_bad_step(self) -> int | None:
        """The first step (from 1) whose loss was NaN or infinite."""
        if not self._losses:
            return None
        bad = ~torch.isfinite(torch.stack(self._losses))
        first = torch.where(bad.any(), bad.int().argmax(), len(bad))
        step = int(self.fabric.all_reduce(first, reduce_op="min")) + 1
        return step if step <= len(bad) else None

    def close(self) -> tuple[dict[str, float], int]:
        """The means by name, and the number of queries."""
        counted = torch.stack([*self._sums.values(), next(iter(self._sums.values())).new_tensor(self.queries)])
        *sums, queries = self.fabric.all_reduce(counted, reduce_op="sum").tolist()
        return {name: value / queries for name, value in zip(self._sums, sums, strict=True)}, int(queries)

"""Adds up what the steps of an epoch report, without waiting for the device."""

import torch
from torch import Tensor


class Ledger:
    """Means over the steps of an epoch, weighted by their queries; remembers the first bad step."""

    def __init__(self) -> None:
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
        return int(bad.int().argmax()) + 1 if bool(bad.any()) else None

    def means(self) -> dict[str, float]:
        return {name: float(value) / self.queries for name, value in self._sums.items()}

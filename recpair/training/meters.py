"""Means of the values reported by the steps of an epoch, without waiting for the device."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from recpair.training.launch import Fabric


class Meters:
    """Means over the steps of an epoch that report a value, weighted by the number of queries; finds the first bad step.

    Values stay on the device in their own precision until they are requested, and are then summed on the CPU in 64
    bits: devices such as Apple's have no float64. In distributed runs, all ranks have the same number of steps and
    request values at the same time.
    """

    def __init__(self, fabric: "Fabric") -> None:
        self.fabric = fabric
        self.queries: list[int] = []
        self._waiting: dict[str, list[Tensor]] = {}
        self._steps: dict[str, list[int]] = {}  # steps of each value
        self._values: dict[str, list[float]] = {}

    def add(self, parts: dict[str, Tensor], queries: int) -> None:
        for name, value in parts.items():
            self._waiting.setdefault(name, []).append(value.detach())
            self._steps.setdefault(name, []).append(len(self.queries))
        self.queries.append(queries)

    def first_bad_step(self) -> int | None:
        """Return the first step (from 1) whose loss was NaN or infinite, or None."""
        self._fetch()
        losses = np.array(self._values.get("loss", []))
        bad = np.flatnonzero(~np.isfinite(losses))
        first = int(bad[0]) if len(bad) else len(losses)
        if self.fabric.world_size > 1:
            first = int(self.fabric.all_reduce(torch.tensor(first, device=self.fabric.device), reduce_op="min"))
        return first + 1 if first < len(losses) else None

    def close(self) -> tuple[dict[str, float], int]:
        """Return the means by name, and the number of queries."""
        self._fetch()
        weights = np.array(self.queries, dtype=np.float64)
        weighted = [np.array(values) * weights[self._steps[name]] for name, values in self._values.items()]
        counts = [float(weights[self._steps[name]].sum()) for name in self._values]
        sums = [*(float(np.add.accumulate(column)[-1]) for column in weighted), *counts, float(weights.sum())]
        if self.fabric.world_size > 1:
            counted = torch.tensor(sums, dtype=torch.float64, device=self.fabric.device)
            sums = self.fabric.all_reduce(counted, reduce_op="sum").tolist()
        n = len(counts)
        means = {name: sums[i] / sums[n + i] for i, name in enumerate(self._values)}
        return means, int(sums[-1])

    def _fetch(self) -> None:
        """Move the values reported since the last call to the CPU."""
        for name, waiting in self._waiting.items():
            if waiting:
                self._values.setdefault(name, []).extend(torch.stack(waiting).tolist())
                waiting.clear()

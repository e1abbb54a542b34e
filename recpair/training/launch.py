"""Device, precision and distributed setup.

lightning-fabric rather than accelerate: accelerate keeps its device and precision in a process-wide singleton, so a
second fit with other settings in the same notebook would fail.
"""

import logging
import os
from contextlib import nullcontext
from datetime import timedelta
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import torch

from recpair import processes
from recpair.errors import ConfigError
from recpair.training.allocator import keep_freed_memory

if TYPE_CHECKING:
    from lightning_fabric import Fabric as Fabric


def require_machine(device: str) -> None:
    """Raise a ConfigError if this machine lacks the device, or has fewer devices than processes."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not processes.started_by_torchrun():
        raise ConfigError("WORLD_SIZE is above 1 without torchrun; start several processes with torchrun")
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": None}
    count = counts[next(n for n, c in counts.items() if c != 0) if device == "auto" else device]
    if count == 0:
        raise ConfigError(f"train.device is {device}, which this machine lacks; set train.device=auto or cpu")
    if count is not None and count < (started := processes.on_this_machine()):
        raise ConfigError(
            f"torchrun has started {started} processes on a machine with {count} GPU; start {count}, or set "
            f"train.device=cpu"
        )


def launch(
    *, device: Literal["auto", "cpu", "cuda", "mps"] = "auto", precision: Literal[32, 16, "bf16", 64] = 32
) -> "Fabric":
    """Return a Fabric for this process, with one device or those assigned by ``torchrun``; call it once per run.

    ``precision`` 16 and bf16 are mixed (weights stay in 32 bits).
    """
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # otherwise every process logs a greeting
    names = {32: "32-true", 16: "16-mixed", "bf16": "bf16-mixed"}
    fabric = Fabric(
        accelerator=device,
        strategy=_data_parallel() if processes.in_all() > 1 else "auto",
        devices=processes.on_this_machine(),
        num_nodes=processes.in_all() // processes.on_this_machine(),
        precision=names.get(precision),
        plugins=_double() if precision == 64 else None,
    )
    fabric.launch()
    if fabric.device.type == "cpu":
        keep_freed_memory()
    return fabric


def _double() -> Any:
    """Return 64-bit precision. Fabric's own also changes torch's default dtype, in all threads of the process."""
    from lightning_fabric.plugins.precision import DoublePrecision

    precision = DoublePrecision()
    precision.forward_context = nullcontext
    return precision


def _data_parallel() -> Any:
    """Return a strategy that averages gradients; each rank sums its own part of the buffers (``SharedSums``).

    Other ranks wait while rank 0 evaluates and writes, which may take longer than the default ten minutes; if it fails,
    torchrun ends them.
    """
    from lightning_fabric.strategies import DDPStrategy
    from torch.nn.parallel import DistributedDataParallel

    new, old = "forward_sync_buffers", "broadcast_buffers"  # the same option; torch 2.13 warns about the old name
    sync = new if new in signature(DistributedDataParallel).parameters else old
    return DDPStrategy(timeout=timedelta(hours=2), **{sync: False})

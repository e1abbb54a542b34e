"""Device, precision and distribution, in one place.

lightning-fabric rather than accelerate: accelerate keeps its device and precision in a process-wide
singleton, so a second fit with other settings in the same notebook would fail.
"""

import os
from typing import TYPE_CHECKING, Literal

import torch

from recpair.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def require_machine(device: str) -> None:
    """Raise a ConfigError where this machine has no such device, or several processes would share a run folder."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("a fit runs in one process, and torchrun has started several; start it without torchrun")
    absent = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if absent.get(device):
        raise ConfigError(f"train.device is {device}, which this machine lacks; set train.device=auto or cpu")


def launch(
    *, device: Literal["auto", "cpu", "cuda", "mps"] = "auto", precision: Literal[32, 16, "bf16", 64] = 32
) -> "Fabric":
    """A Fabric for this process: one device, or those that ``torchrun`` has given.

    ``precision`` 16 and bf16 are mixed (weights stay in 32 bits).
    """
    from lightning_fabric import Fabric

    names = {32: "32-true", 64: "64-true", 16: "16-mixed", "bf16": "bf16-mixed"}
    under_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    fabric = Fabric(
        accelerator=device,
        devices=int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun else 1,
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")) if under_torchrun else 1,
        precision=names[precision],
    )
    fabric.launch()
    return fabric

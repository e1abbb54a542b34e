"""One file from which a run goes on as if it had never stopped."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from recpair.errors import RunError
from recpair.training.progress import Progress


def save_weights(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors under a temporary name, flush it to the disk, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    try:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, partial, metadata)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except SafetensorError as error:
        raise RunError(f"cannot write {path}: {error}; make room or choose another output folder") from None
    finally:
        partial.unlink(missing_ok=True)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        RunError: the file is missing, truncated or not safetensors.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing; the run folder is incomplete, copy it again or train again")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is truncated or damaged ({error}); copy it again or train again") from None


@dataclass(frozen=True)
class Checkpoint:
    """Weights, optimiser state, best weights and progress, in ``<folder>/last.safetensors``."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "last.safetensors"

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
        """Write everything in one rename, so that a kill leaves the old or the new file, never half."""
        tensors = {f"module/{name}": t for name, t in module.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in progress.best_weights.items()}
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
        save_weights(self.path, tensors, {"progress": json.dumps(progress.to_dict())})

    def restore(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> Progress | None:
        """Put everything back; None where there is no checkpoint yet."""
        if not self.path.exists():
            return None
        tensors, metadata = load_weights(self.path)
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}}
        moments: dict[int, dict[str, Any]] = {}
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            if kind == "optimiser":
                index, _, field = name.partition("/")
                moments.setdefault(int(index), {})[field] = tensor
            else:
                parts[kind][name] = tensor
        try:
            module.load_state_dict(parts["module"])
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": moments, "param_groups": groups})
            return Progress.from_dict(json.loads(metadata["progress"]), parts["best"])
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(f"{self.path} does not fit this config ({reason}); train without --resume") from None

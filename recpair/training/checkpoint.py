"""Checkpoints, from which a run resumes as if it had not been interrupted."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recpair import files
from recpair.errors import RunError
from recpair.training.progress import Progress


@dataclass(frozen=True)
class Checkpoint:
    """Weights, optimiser state, best weights and progress, in ``<folder>/last.safetensors``.

    Attributes:
        data: fingerprint of the training data, or None if unknown.
    """

    folder: Path
    data: str | None = None

    @property
    def path(self) -> Path:
        return self.folder / "last.safetensors"

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
        """Write everything atomically, so that an interruption leaves either the old or the new file."""
        tensors = {f"module/{name}": t for name, t in module.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in progress.best_weights.items()}
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        record = json.dumps(progress.to_dict())
        digest = _digest(tensors, record, self.data)
        files.write_tensors(self.path, tensors, {"progress": record, "data": self.data or "", "sha256": digest})

    def restore(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> Progress | None:
        """Restore the state of the run; return None without a checkpoint.

        Raises:
            RunError: the checkpoint is damaged, or belongs to another version, another config or other data.
        """
        if not self.path.exists():
            return None
        tensors, metadata = files.read_tensors(self.path)
        record, data = metadata.get("progress", ""), metadata.get("data")
        if data is not None and metadata.get("sha256") != _digest(tensors, record, data):
            raise files.damaged(self.path, "its content does not match its checksum")
        if self.data and data and data != self.data:
            raise RunError(f"{self.path} was written with other data; restore the data, or train without --resume")
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}}
        moments: dict[int, dict[str, Any]] = {}
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            if kind == "optimiser":
                index, _, field = name.partition("/")
                moments.setdefault(int(index), {})[field] = tensor
            else:
                parts.setdefault(kind, {})[name] = tensor
        try:
            module.load_state_dict(parts["module"])
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": moments, "param_groups": groups})
            return Progress.from_dict(json.loads(record), parts["best"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise RunError(
                f"{self.path} does not fit this config or this version ({files.reason(error)}); train without --resume"
            ) from None


def history(folder: Path) -> list[tuple[int, str, float]]:
    """Return ``(epoch, metric, value)`` up to the checkpoint in a folder; empty without a checkpoint."""
    path = Checkpoint(folder).path
    if not path.exists():
        return []
    _, metadata = files.read_tensors(path)
    try:
        return Progress.from_dict(json.loads(metadata["progress"]), {}).history
    except (KeyError, ValueError, TypeError) as error:
        raise files.damaged(path, error) from None


def _digest(tensors: dict[str, Tensor], *texts: str | None) -> str:
    """SHA-256 of tensors by name and content, and of texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text or ''}\0".encode())
    for name in sorted(tensors):
        digest.update(f"{name}\0{tensors[name].dtype}{tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

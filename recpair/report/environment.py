"""What a run was made with: versions, hardware, threads, the state of the code."""

import importlib.metadata
import os
import platform
import subprocess
from typing import Any

from recpair import processes

PACKAGES = ("recpair", "torch", "numpy", "polars", "scipy", "numba", "mlflow", "pydantic", "pandas", "recbole")


def versions() -> dict[str, str | None]:
    """Version of each package that matters; None where it is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def git_state() -> dict[str, Any]:
    """Commit of the working directory, and whether it has changes; empty outside a repository."""
    try:
        commit, status = (
            subprocess.run(["git", *args], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
            for args in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"git_commit": commit, "git_dirty": bool(status)}


def environment() -> dict[str, Any]:
    """Everything that ``environment.json`` records."""
    import torch

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "processes": processes.in_all(),
        "torch_threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "versions": versions(),
        **git_state(),
    }

"""Environment of a run: versions, hardware, threads, state of the repository."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

from recpair import processes

PACKAGES = ("recpair", "torch", "numpy", "polars", "scipy", "numba", "mlflow", "pydantic", "pandas", "recbole")
NO_PROGRAMS = {"core.fsmonitor": "false", "core.hooksPath": os.devnull, "core.sshCommand": "false"}
FILTER_OFF = {"clean": "", "smudge": "", "process": "", "required": "false"}


def versions() -> dict[str, str | None]:
    """Versions of recpair and the main packages; None if a package is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def git_state() -> dict[str, Any]:
    """Commit of the working directory, and whether it has uncommitted changes; empty outside a repository.

    The repository may be untrusted, so the programs in its config (fsmonitor, hooks, filters, transports) are not run.
    A file with a filter counts as changed if its time or size differs from the index.
    """
    try:
        # --includes: included files are in effect too
        named = _git("config", "--includes", "--null", "--name-only", "--get-regexp", r"^filter\..", fails=True)
        drivers = {key.rpartition(".")[0] for key in named.split("\0") if key}
        off = {f"{driver}.{key}": value for driver in drivers for key, value in FILTER_OFF.items()}
        commit = _git("rev-parse", "--verify", "HEAD")
        status = _git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty", config=off)
    except (OSError, UnicodeError, subprocess.SubprocessError):
        return {}
    return {"git_commit": commit.strip(), "git_dirty": bool(status.strip())}


def _git(*args: str, config: Mapping[str, str] | None = None, fails: bool = False) -> str:
    """Output of git with ``NO_PROGRAMS`` and ``config`` in place of the repository's values."""
    settings = {**NO_PROGRAMS, **(config or {})}
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    done = subprocess.run(
        ["git", "--no-pager", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=not fails,
        env=environment,
    )
    return done.stdout


def environment() -> dict[str, Any]:
    """Content of ``environment.json``."""
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

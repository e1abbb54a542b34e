"""Files and folders that are never half-written: atomic writes, exchange, locks, checksums."""

import ctypes
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recpair.errors import RecpairError, RunError

if TYPE_CHECKING:
    from polars import DataFrame
    from torch import Tensor

logger = logging.getLogger("recpair")

RENAME_EXCHANGE, AT_FDCWD = 2, -100  # of Linux' renameat2


def write(
    path: Path,
    writer: Callable[[Path], Any],
    *,
    error: type[RecpairError] = RunError,
    remedy: str = "free disk space or choose another folder",
) -> None:
    """Let ``writer`` fill a temporary file beside ``path``, flush it to disk, then rename it to ``path``.

    A crash leaves the old file or the new one. The permissions are those of the umask, whatever ``writer`` sets.

    Raises:
        RecpairError: of the type ``error``; the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            mode = os.fstat(file.fileno()).st_mode
        writer(partial)
        partial.chmod(mode)
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except Exception as problem:
        if not _is_about_files(problem):
            raise
        raise error(f"cannot write {path}: {reason(problem)}; {remedy}") from None
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    write(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes as they are."""
    write(path, lambda partial: partial.write_bytes(content))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a dict as indented JSON."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def write_frame(path: Path, frame: "DataFrame") -> None:
    """Write a frame as Parquet."""
    write(path, frame.write_parquet)


def write_tensors(path: Path, tensors: dict[str, "Tensor"], metadata: dict[str, str] | None = None) -> None:
    """Write tensors of any device as safetensors."""
    from safetensors.torch import save_file

    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write(path, lambda partial: save_file(on_cpu, partial, metadata))


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Tensors and metadata of a safetensors file; nothing is unpickled.

    Raises:
        RunError: the file is missing, truncated or not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RunError(f"{path} is missing; copy the whole run folder again or train again")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise damaged(path, problem) from None


def damaged(path: Path, problem: object) -> RunError:
    """The error for a file whose content cannot be used."""
    return RunError(f"{path} is truncated or damaged ({reason(problem)}); copy it again or train again")


def reason(problem: object) -> str:
    """An error in at most 160 characters of one line."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return " ".join(str(problem).split())[:160]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to disk, where the system can do that."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if path.is_dir() else os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except OSError:  # folders cannot be opened everywhere
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if not path.is_dir():
            raise problem
    finally:
        os.close(descriptor)


def exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step, so that no name is ever missing; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    sys.audit("os.rename", str(first), str(second), -1, -1)
    done = rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0
    if done:
        sync(second.parent)
    return bool(done)


def move(source: Path, target: Path) -> None:
    """Rename a folder and flush the change to disk."""
    source.rename(target)
    sync(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder under another name, so that a crash leaves nothing that looks whole."""
    doomed = folder.with_name(f".{folder.name}.removed")
    if doomed.exists():
        shutil.rmtree(doomed)
    move(folder, doomed)
    shutil.rmtree(doomed)


@contextmanager
def locked(path: Path, busy: str | None = None, *, error: type[RecpairError] = RunError) -> Iterator[None]:
    """Hold ``.<name>.lock`` beside ``path`` for the block, against other processes and threads.

    Args:
        busy: the message if another process holds the lock; None: wait for it.

    Raises:
        RecpairError: of the type ``error``; the lock is held, or its folder cannot be written.
    """
    from filelock import FileLock, Timeout

    place = path.with_name(f".{path.name}.lock")
    lock = FileLock(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if busy is not None:
                raise error(busy) from None
            logger.info("waiting for another process that writes %s", path)
            lock.acquire()
    except OSError as problem:
        raise error(f"cannot write {path}: {reason(problem)}; choose another folder") from None
    try:
        yield
    finally:
        place.unlink(missing_ok=True)  # before the release: a waiting process makes its own
        lock.release()


def _is_about_files(problem: Exception) -> bool:
    """OSError, and what the writers of polars and safetensors raise."""
    return isinstance(problem, OSError) or type(problem).__module__.partition(".")[0] in ("polars", "safetensors")

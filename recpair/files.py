"""Atomic writing of files, exchange of folders, locks and checksums."""

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
    """Write a temporary file beside ``path`` with ``writer``, flush it to disk, then rename it to ``path``.

    After a crash, either the old or the new file exists. Permissions follow the umask, whatever ``writer`` sets.

    Raises:
        RecpairError: the file cannot be written; of the type ``error``.
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
    """Write bytes."""
    write(path, lambda partial: partial.write_bytes(content))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a dict as indented JSON."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def write_frame(path: Path, frame: "DataFrame") -> None:
    """Write a frame as Parquet."""
    write(path, frame.write_parquet)


def write_tensors(path: Path, tensors: dict[str, "Tensor"], metadata: dict[str, str] | None = None) -> None:
    """Write tensors on any device as safetensors."""
    from safetensors.torch import save_file

    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write(path, lambda partial: save_file(on_cpu, partial, metadata))


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Read tensors and metadata of a safetensors file; nothing is unpickled.

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
    """Return the error for a file with invalid content."""
    return RunError(f"{path} is truncated or damaged ({reason(problem)}); copy it again or train again")


def reason(problem: object) -> str:
    """Return an error message on one line of at most 160 characters."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return " ".join(str(problem).split())[:160]


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or the entries of a folder to disk, if the system supports it."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) if path.is_dir() else os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except OSError:  # not all systems can open folders
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if not path.is_dir():
            raise problem
    finally:
        os.close(descriptor)


def exchange(first: Path, second: Path) -> bool:
    """Swap two folders atomically; return False if the system does not support it."""
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


@contextmanager
def new_folder(path: Path, todo: str) -> Iterator[Path]:
    """Provide a temporary folder in a block; after the block, flush its files and rename it to ``path``.

    After an error, nothing is left. After a crash, ``path`` is as before, and the next call clears the temporary folder.

    Args:
        path: a new or empty folder.
        todo: the purpose in messages, such as "export to".

    Raises:
        RunError: ``path`` is not empty, cannot be written, or another process writes to it.
    """
    path = path.resolve()
    try:
        if path.exists() and any(path.iterdir()):
            raise RunError(f"{path} is not empty; choose another folder to {todo}")
        busy = f"another process writes to {path}, or {path.parent} cannot be written to; wait or choose another folder"
        with locked(path, busy):
            partial = path.with_name(f".{path.name}.part")
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir()
            try:
                yield partial
                for file in filter(Path.is_file, partial.rglob("*")):
                    sync(file)
                if path.exists():
                    path.rmdir()
                move(partial, path)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as problem:
        raise RunError(f"cannot {todo} {path}: {reason(problem)}; choose another folder") from None


def remove_folder(folder: Path) -> None:
    """Remove a folder after renaming it, so that a crash does not leave an incomplete folder under its name."""
    doomed = folder.with_name(f".{folder.name}.removed")
    if doomed.exists():
        shutil.rmtree(doomed)
    move(folder, doomed)
    shutil.rmtree(doomed)


@contextmanager
def locked(path: Path, busy: str | None = None, *, error: type[RecpairError] = RunError) -> Iterator[None]:
    """Lock ``.<name>.lock`` beside ``path`` in a block, against other processes and threads.

    Args:
        busy: the message if another process holds the lock; None: wait for it.

    Raises:
        RecpairError: the lock is held, or its folder cannot be written; of the type ``error``.
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
        place.unlink(missing_ok=True)  # before the release: a waiting process creates a new file
        lock.release()


def _is_about_files(problem: Exception) -> bool:
    """Return True for OSError and the errors of the writers of polars and safetensors."""
    return isinstance(problem, OSError) or type(problem).__module__.partition(".")[0] in ("polars", "safetensors")

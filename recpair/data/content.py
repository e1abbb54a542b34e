"""Content of a file, decompressed according to its extension."""

import mmap
from pathlib import Path

import pyarrow as pa

from recpair.errors import DataError

PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}

Content = bytes | mmap.mmap


def kind_of(path: Path) -> str:
    """Return the extension of the uncompressed file, in lower case: ``.csv`` of ``events.csv.gz``."""
    return unpacked(path).suffix.lower()


def unpacked(path: Path) -> Path:
    """Return the path without the extension of a compression format."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def read_content(path: Path) -> Content:
    """Return the bytes of a file; uncompressed files are memory-mapped.

    Raises:
        DataError: the file is empty, cannot be read, or its compression does not match its extension.
    """
    packed = PACKED.get(path.suffix.lower())
    try:
        if packed is not None:
            with pa.input_stream(str(path), compression=packed) as stream:
                content: Content = stream.read()
        elif path.stat().st_size == 0:
            content = b""
        else:
            with path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        as_packed = f" as {packed}" if packed else ""
        raise DataError(f"{path} cannot be read{as_packed} ({one_line(error)}); write it again") from None
    if len(content) == 0:
        raise DataError(f"{path} is empty; expected one row per event")
    return content


def one_line(error: Exception) -> str:
    """Return the first 160 characters of an error message on one line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split())[:160]

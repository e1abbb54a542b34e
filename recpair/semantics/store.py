"""On-disk cache of results, under a fingerprint of everything that they depend on."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from recpair import files
from recpair.errors import DataError

Arrays = dict[str, np.ndarray]


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits of a hash of arrays by type, shape and content, and of other values by ``repr``."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def folder_of(given: str | None, output: str | None) -> Path | None:
    """Return the folder of stored results: the given one, else beside the output (shared by runs), else None."""
    if given is not None:
        return Path(given)
    return None if output is None else Path(output).parent / ".semantics"


class Store:
    """A folder of safetensors files named by kind and fingerprint; without a folder, nothing is stored."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, kind: str, key: str, make: Callable[[], Arrays]) -> Arrays:
        """Return what is stored under the key; otherwise call ``make`` and store its result.

        Raises:
            DataError: the file is damaged, or the folder cannot be written.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{kind}-{key}.safetensors"
        if path.is_file():
            try:
                return dict(load_file(path))
            except (SafetensorError, OSError) as error:
                raise DataError(f"{path} is damaged ({error}); delete it; it will be rebuilt") from None
        made = make()
        self._write(path, made)
        return made

    def _write(self, path: Path, arrays: Arrays) -> None:
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        remedy = "free disk space or choose another semantics.folder"
        files.write(path, lambda partial: save_file(contiguous, partial), error=DataError, remedy=remedy)

"""Cache folder for compiled kernels if neither the package folder nor the user's cache is writable.

numba fails to import a kernel that it cannot cache, for example in an installation of another user, or in containers
without a home directory.
"""

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGE = Path(__file__).parent
FOLDERS = ("data", "evaluation", "models", "models/sparse", "sampling")  # of kernels


def provide_folder() -> None:
    """Set ``$NUMBA_CACHE_DIR`` to a private folder of the user, unless it is set or numba finds a folder."""
    if VARIABLE in os.environ or all(_writable(place) for place in _beside_the_kernels()) or _writable(_users_cache()):
        return
    try:
        folder = Path(tempfile.gettempdir()) / f"recpair-numba-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder):  # compiled code is read from it
            folder = Path(tempfile.mkdtemp(prefix="recpair-numba-"))
    except OSError:  # no temporary folder either: numba reports it
        return
    os.environ[VARIABLE] = str(folder)


def _beside_the_kernels() -> list[Path]:
    return [PACKAGE / folder / "__pycache__" for folder in FOLDERS]


def _users_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"


def _writable(folder: Path) -> bool:
    """Return True if a folder can be written to, or created."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    return os.access(existing, os.W_OK | os.X_OK)


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077

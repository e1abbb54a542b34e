"""``manifest.json``: identity and completeness of a run folder, and a checksum of each file."""

import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from recpair import files
from recpair.errors import RunError

MANIFEST = "manifest.json"
CHECKPOINT = "checkpoint"  # changes during training, not needed to use a run
FORMAT, KIND = 1, "recpair run"


@dataclass(frozen=True)
class Manifest:
    """Identity and state of a run folder.

    Attributes:
        id: 32 hexadecimal digits, drawn at the start of the run.
        replaces: id of the previous run in the output folder; None for the first.
        data: fingerprint of the data.
        complete: whether all files are written; an incomplete run can only be resumed.
        files: name (relative to the folder) → accepted SHA-256 checksums; two while a file is being replaced.
    """

    data: str | None
    replaces: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    complete: bool = False
    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Read the manifest of a folder; None if it is missing or was not written by recpair.

        Raises:
            RunError: the file is damaged, or from a later version.
        """
        path = folder / MANIFEST
        values = read_json(path) if path.is_file() else {}
        if values.get("kind") != KIND:
            return None
        if values.get("format") != FORMAT:
            raise RunError(f"{path} is of format {str(values.get('format'))[:20]}, expected {FORMAT}; upgrade recpair")
        try:
            sums = {str(name): [str(value) for value in accepted] for name, accepted in values["files"].items()}
            head = {name: values[name] for name in ("data", "replaces", "id", "complete")}
        except (KeyError, TypeError, AttributeError) as error:
            raise files.damaged(path, error) from None
        return cls(**head, files=sums)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``."""
        files.write_json(folder / MANIFEST, {"kind": KIND, "format": FORMAT, **asdict(self)})

    def completed(self, folder: Path) -> "Manifest":
        """Return the manifest of a complete folder, with a checksum of each file."""
        sums = {name.as_posix(): [files.sha256(folder / name)] for name in lasting_files(folder)}
        return replace(self, complete=True, files=sums)

    def accepts(self, folder: Path, name: str) -> bool:
        """Return True if a file matches one of its checksums; False if the manifest does not list it."""
        return files.sha256(folder / name) in self.files.get(name, [])


def rewrite(folder: Path, name: str, values: dict[str, Any]) -> None:
    """Replace a JSON file of a complete run; the file matches the manifest at all times."""
    manifest = Manifest.read(folder)
    if manifest is None:
        files.write_json(folder / name, values)
        return
    before = manifest.files[name]
    staged = folder / f".{name}.staged"
    files.write_json(staged, values)
    after = [files.sha256(staged)]
    replace(manifest, files=manifest.files | {name: [*before, *after]}).write(folder)
    files.move(staged, folder / name)
    replace(manifest, files=manifest.files | {name: after}).write(folder)


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file.

    Raises:
        RunError: the file is missing, cannot be read, or does not hold an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise files.damaged(path, error) from None
    if not isinstance(values, dict):
        raise files.damaged(path, f"expected an object, found {type(values).__name__}")
    return values


def lasting_files(folder: Path) -> list[Path]:
    """Relative paths of the files of a run, except for links, checkpoints, temporary files and members of the run."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [path.relative_to(folder) for path in paths]
    linked = {path for path in folder.rglob("*") if path.is_symlink()}
    return [
        name
        for name in names
        if not _is_passing(folder, name) and not any(folder / above in linked for above in name.parents)
    ]


def _is_passing(folder: Path, name: Path) -> bool:
    """Return True for checkpoints, temporary files, the manifest, and members of the run, which have their own manifests."""
    inside = any((folder / above / MANIFEST).exists() for above in [*name.parents][:-1])
    return inside or name.parts[0] in (CHECKPOINT, MANIFEST) or any(part.startswith(".") for part in name.parts)

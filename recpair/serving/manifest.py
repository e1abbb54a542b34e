"""``manifest.json``: what makes a folder a run, whether the run is complete, and a checksum of each file."""

import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from recpair import files
from recpair.errors import RunError

MANIFEST = "manifest.json"
CHECKPOINT = "checkpoint"  # changes during training and is not needed to use a run
FORMAT, KIND = 1, "recpair run"


@dataclass(frozen=True)
class Manifest:
    """The identity and the state of a run folder.

    Attributes:
        id: 32 hexadecimal digits, drawn when the run begins.
        replaces: id of the run that was in the output folder before; None for the first.
        data: fingerprint of the data.
        complete: every file is written; until then the run can only be resumed.
        files: name (relative to the folder) → acceptable SHA-256 sums; two of them while a file is exchanged.
    """

    data: str | None
    replaces: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    complete: bool = False
    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """The manifest of a folder; None where there is none, or a file of that name that is not ours.

        Raises:
            RunError: the file is damaged, or of a later version.
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
        """The manifest of a folder whose files are all written, with a checksum of each."""
        sums = {name.as_posix(): [files.sha256(folder / name)] for name in lasting_files(folder)}
        return replace(self, complete=True, files=sums)

    def accepts(self, folder: Path, name: str) -> bool:
        """Whether a file has (one of) its checksums; a file that the manifest does not list has none."""
        return files.sha256(folder / name) in self.files.get(name, [])


def rewrite(folder: Path, name: str, values: dict[str, Any]) -> None:
    """Replace a JSON file of a complete run; at any moment the manifest accepts the file that is there."""
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
    """The object in a JSON file.

    Raises:
        RunError: the file is missing, cannot be read, or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise files.damaged(path, error) from None
    if not isinstance(values, dict):
        raise files.damaged(path, f"expected an object, found {type(values).__name__}")
    return values


def lasting_files(folder: Path) -> list[Path]:
    """Paths (relative) of a run's own files: no links, checkpoints, temporary files, or members of the run."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [path.relative_to(folder) for path in paths]
    linked = {path for path in folder.rglob("*") if path.is_symlink()}
    return [
        name
        for name in names
        if not _is_passing(folder, name) and not any(folder / above in linked for above in name.parents)
    ]


def _is_passing(folder: Path, name: Path) -> bool:
    """Checkpoints, temporary files, the manifest itself, and members of the run, which have their own manifests."""
    inside = (folder / name.parts[0] / MANIFEST).exists()
    return inside or name.parts[0] in (CHECKPOINT, MANIFEST) or any(part.startswith(".") for part in name.parts)

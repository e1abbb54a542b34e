"""Shell completion of configs, run folders and config keys."""

from collections.abc import Iterator
from pathlib import Path

from recpair import shipped

ENDINGS = (".yaml", ".yml", ".toml")


def configs(incomplete: str) -> list[str]:
    """Config files, folders and shipped configs whose names begin with the text."""
    files = [str(path) for path in _paths(incomplete) if path.suffix in ENDINGS]
    return [*files, *_folders(incomplete), *(name for name in shipped.names() if name.startswith(incomplete))]


def runs(incomplete: str) -> list[str]:
    """Folders that begin with the text; run folders without a trailing slash."""
    return [
        folder.removesuffix("/") if (Path(folder) / "manifest.json").is_file() else folder
        for folder in _folders(incomplete)
    ]


def keys(incomplete: str) -> list[str]:
    """Config keys that begin with the text, ``train.epochs=``."""
    from recpair.experiment.schema import SCHEMA
    from recpair.registry import options

    found = [f"{name}.name=" for name, section in SCHEMA.items() if section.choices is not None]
    for name, section in SCHEMA.items():
        for component in [*section.functions, *(section.choices or {}).values()]:
            found += [f"{name}.{key}=" for key in options(component)]
    return [key for key in dict.fromkeys(found) if key.startswith(incomplete)]


def _folders(incomplete: str) -> list[str]:
    return [f"{path}/" for path in _paths(incomplete) if path.is_dir()]


def _paths(incomplete: str) -> Iterator[Path]:
    """Paths that begin with the text; hidden ones only if the last part of the text begins with a dot."""
    folder, slash, start = incomplete.rpartition("/")
    place = Path(f"{folder}{slash}") if slash else Path()
    entries = sorted(place.iterdir()) if place.is_dir() else []
    return (path for path in entries if path.name.startswith(start) and (start or not path.name.startswith(".")))

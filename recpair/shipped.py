"""Configs that ship with the package, located by name."""

import difflib
import os
from pathlib import Path

from recpair.errors import ConfigError

PACKAGE = Path(__file__).parent
SHOWN = 3  # names in an error message


def names() -> dict[str, Path]:
    """Return names (``ml-100k/mf-bpr.yaml``) and paths, in alphabetical order.

    Wheels have the configs in ``recpair/configs``, checkouts in ``configs`` beside the package.
    """
    checkout = PACKAGE.parent
    folder = checkout / "configs" if (checkout / "pyproject.toml").is_file() else PACKAGE / "configs"
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.glob("*/*.yaml"))}


def locate(config: str | Path) -> tuple[Path, tuple[str, ...]]:
    """Return the path of a config and notes on it: an existing file, else the shipped config of that name.

    The name may begin with ``configs/``, as in the documentation, and may lack ``.yaml``.

    Raises:
        ConfigError: neither a file nor a shipped config of that name exists.
    """
    path = Path(config)
    if os.path.exists(path):  # False for invalid names, for which Path.exists raises
        return path, ()
    known, asked = names(), path.as_posix()[:200].removeprefix("./").removeprefix("configs/")
    for name in (asked, f"{asked}.yaml"):
        if name in known:
            return known[name], (f"file {path} not found; using {name}, which ships with recpair",)
    raise ConfigError(f"config file {path} does not exist; {_advice(asked, known)}")


def _advice(asked: str, known: dict[str, Path]) -> str:
    """Suggest the nearest shipped names, by whole name and by last part."""
    by_stem = {Path(name).stem: name for name in known}
    near = [by_stem[stem] for stem in difflib.get_close_matches(Path(asked).stem, by_stem, n=SHOWN, cutoff=0.6)]
    near = list(dict.fromkeys([*difflib.get_close_matches(asked, known, n=SHOWN, cutoff=0.6), *near]))[:SHOWN]
    if near:
        return f"configs with similar names ship with recpair: {', '.join(near)}"
    return "give the path of a YAML or TOML file, or the name of a config that ships with recpair (recpair doctor)"

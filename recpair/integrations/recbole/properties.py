"""Signatures from RecBole's property files: name, type and default of each option of a model.

A property file is YAML with a comment per line that gives the type, and the choices of a string: ``type: 'ED'  # (str)
The type to generate views. Range in ['ED', 'ND', 'RW'].``
"""

import importlib.util
import re
from collections.abc import Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from recpair.errors import ConfigError
from recpair.registry import nearest

# Options that name a file of pickled weights, which recpair never reads, need events in RecBole's own form, or belong to
# the model.
LEFT_OUT = re.compile(r"pretrain|pre_model|train_method|time-aware|w_m(ax|in)$|^transform$")
CHOICES = re.compile(r"rang(?:e|ing) in \[([^\]]*)\]", re.IGNORECASE)


Kind = Literal["general", "sequential"]
KINDS: tuple[Kind, ...] = ("general", "sequential")


class _Loader(yaml.SafeLoader):
    """Loader with YAML 1.2's floats (``1e-5``), which RecBole's files use and YAML 1.1 reads as text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+0123456789.")
)


def package() -> Path:
    """Return the folder of the installed RecBole, without importing it.

    Raises:
        ConfigError: RecBole is not installed.
    """
    found = importlib.util.find_spec("recbole")
    if found is None or found.origin is None:
        raise ConfigError(
            "model.name begins with recbole/, but RecBole is not installed; pip install recbole==1.2.1 "
            "(Python 3.11), or choose one of recpair's models"
        )
    return Path(found.origin).parent


def models(kind: Kind) -> list[str]:
    """Return the names of RecBole's models of a kind that have a property file."""
    modules = {path.stem for path in (package() / "model" / f"{kind}_recommender").glob("*.py")}
    files = (package() / "properties" / "model").glob("*.yaml")
    return sorted(path.stem for path in files if path.stem.lower() in modules)


def kind(name: str) -> Kind:
    """Return the kind of a model: general (scores users) or sequential (scores histories).

    Raises:
        ConfigError: RecBole has no model of this name (the message names the nearest), or it is of another kind.
    """
    known = {name: kind for kind in KINDS for name in models(kind)}
    if name in known:
        return known[name]
    if _property_file(name).exists():
        raise ConfigError(
            f"model.name: recbole/{name} is not a general or sequential model (user, item, what came before, nothing "
            f"else), and only those are bridged"
        )
    near = nearest(f"recbole/{name}", [f"recbole/{other}" for other in known])
    raise ConfigError(f"model.name: unknown name 'recbole/{name}'{near} (RecBole has {', '.join(known)})")


def signature(name: str) -> Signature:
    """Return the options of a model as keyword-only parameters; hyphens in names become underscores.

    Raises:
        ConfigError: RecBole is not installed, or has no such model.
    """
    reads_histories = kind(name) == "sequential"
    text = _property_file(name).read_text(encoding="utf-8")
    comments = dict(re.findall(r"^([\w-]+):[^#\n]*#(.*)$", text, re.MULTILINE))
    supplied = [Parameter("interactions", Parameter.POSITIONAL_OR_KEYWORD)]
    if reads_histories:  # not in the property files; RecBole's MAX_ITEM_LIST_LENGTH
        length = Annotated[int, Field(gt=0)]
        supplied.append(Parameter("history_length", Parameter.KEYWORD_ONLY, default=50, annotation=length))
    options = [
        Parameter(
            _identifier(key),
            Parameter.KEYWORD_ONLY,
            default=value,
            annotation=_annotation(value, comments.get(key, "")),
        )
        for key, value in _values(text).items()
        if not LEFT_OUT.search(key)
    ]
    return Signature([*supplied, *options])


def settings(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keys of a model's property file under their own names, with ``options`` replacing the defaults."""
    values = _values(_property_file(name).read_text(encoding="utf-8"))
    return {key: options.get(_identifier(key), value) for key, value in values.items()}


def _property_file(name: str) -> Path:
    return package() / "properties" / "model" / f"{name}.yaml"


def _values(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader=_Loader) or {}  # a SafeLoader


def _identifier(key: str) -> str:
    return key.replace("-", "_")


def _annotation(value: Any, comment: str) -> Any:
    """Return a type from the default and the comment; counts are non-negative."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return float if "(float)" in comment else Annotated[int, Field(ge=0)]
    if isinstance(value, float):
        return float
    if isinstance(value, list):
        return list[float] if any(isinstance(entry, float) for entry in value) else list[int]
    if isinstance(value, str):
        listed = CHOICES.search(comment)
        words = [word.strip(" '\"") for word in listed.group(1).split(",")] if listed else []
        return Literal[tuple(words)] if value in words else str
    return Any

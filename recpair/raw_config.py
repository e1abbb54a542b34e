"""Conversion of YAML, TOML or Python values to plain sections of bounded size.

Plain means dicts with text keys, lists, text, numbers, booleans and None, at most ``DEPTH`` levels deep and with at most
``SIZE`` values, where aliases count each time they are used.
"""

import datetime
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from recpair.errors import ConfigError, one_line, shown

BYTES = 1_000_000  # maximum size of a config file
DEPTH = 20
SIZE = 100_000


class _Loader(yaml.SafeLoader):
    """YAML loader of plain types: dates are read as text, and duplicate keys are errors."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in seen:
                    raise _Twice(f"key {shown(key.value)} occurs twice, in lines {seen[key.value]} and {line}")
                seen[key.value] = line
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Twice(Exception):
    """Error for a duplicate key in a mapping."""


def read(path: str | Path) -> dict[str, Any]:
    """Read the raw sections of a YAML or TOML file.

    Raises:
        ConfigError: the file is missing, is not valid YAML or TOML, has a duplicate key, or has no sections.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ConfigError(f"config {path} is a folder; give the path of a YAML or TOML file")
        if not path.is_file():
            raise ConfigError(f"config file {path} does not exist; give the path of a YAML or TOML file")
        size = path.stat().st_size
        if size > BYTES:
            raise ConfigError(f"config file {path} has {size:,} bytes; expected at most {BYTES:,}")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"config file {path} is not UTF-8 text (byte {error.start:,}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror or error}") from None
    raw = parsed(text, f"config file {path}", toml=path.suffix == ".toml")
    if not isinstance(raw, dict):
        raise ConfigError(f"config file {path} holds no sections; expected keys such as data, model and train")
    return raw


def parsed(text: str, where: str, *, toml: bool = False) -> Any:
    """Parse YAML or TOML text to a plain value.

    Raises:
        ConfigError: the text is not valid, or its value is nested too deeply or too large.
    """
    try:
        if toml:
            return plain(tomllib.loads(text), where)
        return plain(yaml.load(text, Loader=_Loader), where)  # a SafeLoader
    except _Twice as error:
        raise ConfigError(f"{where}: {error}; keep one of them") from None
    except (yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{where} is not valid {'TOML' if toml else 'YAML'}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where} is nested too deeply; expected at most {DEPTH} levels") from None
    except (ValueError, TypeError) as error:  # an integer of more than 4,300 digits, a list as a key
        raise ConfigError(f"{where} holds a value that cannot be read: {error}") from None


def plain(value: Any, where: str) -> Any:
    """Copy a value as plain types; paths and dates become text, tuples become lists, numpy scalars become Python numbers.

    Raises:
        ConfigError: the value holds another type, is nested too deeply, or too large.
    """
    left = SIZE

    def copied(value: Any, place: str, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConfigError(f"{where} holds more than {SIZE:,} values; expected a few hundred")
        if depth > DEPTH:
            raise ConfigError(f"{where} is nested too deeply at {shown(place)}; expected at most {DEPTH} levels")
        if value is None or type(value) in (str, bool, int, float):
            return value
        if isinstance(value, Mapping):
            if wrong := [key for key in value if isinstance(key, bool) or not isinstance(key, str | int | float)]:
                raise ConfigError(f"{where}: expected text as a key, got {shown(wrong[0])}")
            return {str(key): copied(entry, f"{place}.{key}", depth + 1) for key, entry in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [copied(entry, place, depth + 1) for entry in value]
        if isinstance(value, str | Path | datetime.date | datetime.time):
            return str(value)
        if isinstance(value, int | float):  # an enum, or another subclass
            return float(value) if isinstance(value, float) else int(value)
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
            return copied(value.item(), place, depth + 1)
        raise ConfigError(
            f"{where}: {one_line(place.lstrip('.'), 100)} is of type {type(value).__name__}; expected text, a number, "
            f"true, false, null, a list or a mapping"
        )

    return copied(value, "", 0)


def override(raw: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a plain copy of ``raw`` with ``section.key=value`` overrides applied; values are parsed as YAML.

    A number in the path is an index of a list, ``terms.0.weight=0.2``.

    Raises:
        ConfigError: an override has another form, its value is not valid YAML, or its path does not exist.
    """
    if isinstance(assignments, str | bytes) or not isinstance(assignments, Sequence):
        raise ConfigError(f"overrides must be a list such as ['train.epochs=3'], got {shown(assignments)}")
    result: dict[str, Any] = plain(raw, "the config")
    for assignment in assignments:
        if not isinstance(assignment, str):
            raise ConfigError(f"override {shown(assignment)} is not text of the form section.key=value")
        dotted, equals, text = assignment.partition("=")
        path = dotted.strip().split(".")
        if not equals or not all(path) or len(path) > DEPTH:
            raise ConfigError(f"override {shown(assignment)} is not of the form section.key=value")
        try:
            value = parsed(text, "the value")
        except ConfigError as error:
            raise ConfigError(f"override {shown(assignment)}: {error}; put it in quotes") from None
        _assign(result, path, value, f"override {shown(assignment)}")
    return result


def assignment(key: str, value: Any) -> str:
    """Return an override that sets a key to a plain value."""
    return f"{key}={on_one_line(value)}"


def on_one_line(value: Any) -> str:
    """Return a plain value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=sys.maxsize, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def value_at(sections: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key, ``terms.0.weight``; None if it does not exist."""
    place: Any = sections
    for part in key.split("."):
        if isinstance(place, list) and _is_position(part, place):
            place = place[int(part)]
        elif isinstance(place, Mapping):
            place = place.get(part)
        else:
            return None
    return place


def _assign(place: Any, dotted: list[str], value: Any, where: str) -> None:
    """Set the value at a path; missing sections and mappings on the path are created."""
    *path, last = dotted
    for depth, key in enumerate(path):
        if isinstance(place, list) and _is_position(key, place):
            if isinstance(place[int(key)], str):
                place[int(key)] = {"name": place[int(key)]}
            place = place[int(key)]
        elif isinstance(place, dict):
            if not isinstance(place.get(key), dict | list):
                place[key] = {"name": place[key]} if isinstance(place.get(key), str) and depth == 0 else {}
            place = place[key]
        else:
            raise ConfigError(f"{where}: there is no key {shown('.'.join(path[: depth + 1]))}")
    if isinstance(place, dict):
        place[last] = value
    elif isinstance(place, list) and _is_position(last, place):
        place[int(last)] = value
    elif isinstance(place, list):
        raise ConfigError(f"{where}: {shown('.'.join(dotted))} is not a position in a list of {len(place)}")
    else:
        raise ConfigError(f"{where}: there is no key {shown('.'.join(path))}")


def _is_position(key: str, values: list[Any]) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(values)

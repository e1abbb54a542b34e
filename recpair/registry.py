"""Lookup of components by name, and their options: the keyword-only parameters."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from recpair.errors import ConfigError, shown
from recpair.signatures import OUTSIDE, Component, signature

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" with the nearest known name, or an empty string."""
    found = difflib.get_close_matches(name[:200], list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def lookup(registry: Mapping[str, T], name: str, key: str) -> T:
    """Return the component ``name``.

    Raises:
        ConfigError: unknown name; the message has the config key, the nearest and all known names.
    """
    if name not in registry and OUTSIDE in name:
        module = name.partition(OUTSIDE)[0]
        raise ConfigError(
            f"{key} is {shown(name)}, a component outside recpair; if you trust module {module}, name it with --plugins "
            f"{module} or plugins=[{module!r}]"
        )
    if name not in registry:
        known = ", ".join(sorted(registry))
        raise ConfigError(f"{key}: unknown name {shown(name)}{nearest(name, registry)} (known: {known})")
    return registry[name]


def options(component: Component) -> dict[str, tuple[Any, Any]]:
    """Return the options of a component: name → (type, default); ``...`` means no default.

    Parameters after ``*`` in a signature are set by the user; those before are supplied by recpair.
    """
    return {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature(component).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def options_in(section: Mapping[str, Any], component: Component) -> dict[str, Any]:
    """Return the entries of a config section that are options of the component."""
    return {name: section[name] for name in options(component)}

"""Look a component up by name; its keyword-only parameters are its options."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from recpair.errors import ConfigError, shown
from recpair.signatures import Component, signature

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean X?)', or nothing when no known name is near."""
    found = difflib.get_close_matches(name[:200], list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def lookup(registry: Mapping[str, T], name: str, key: str) -> T:
    """The component called ``name``.

    Raises:
        ConfigError: names the config key, the nearest name and all that exist.
    """
    if name not in registry:
        known = ", ".join(sorted(registry))
        raise ConfigError(f"{key}: unknown name {shown(name)}{nearest(name, registry)} (known: {known})")
    return registry[name]


def options(component: Component) -> dict[str, tuple[Any, Any]]:
    """A component's options: name → (type, default); ``...`` stands for "no default".

    What follows ``*`` in a signature is for the user to set; what comes before is what recpair supplies.
    """
    return {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature(component).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }

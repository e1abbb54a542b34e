"""Components from outside the package: objects, dotted paths and entry points.

A component is known by its dotted path, ``my_package.my_module:my_loss``, or by the name of an entry point of an installed
package. It is added to the registry of its section when a config names it. Modules are imported only if the caller has
named them: in the config of a fit, or as plugins of a run.
"""

import contextlib
import copy
import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from inspect import Parameter
from types import ModuleType
from typing import Any

from recpair.errors import ConfigError, one_line, shown
from recpair.registry import nearest, options
from recpair.signatures import OUTSIDE, Reference, registry


@dataclass(frozen=True)
class Slot:
    """Registry of the components of a config section.

    Attributes:
        registry: address of the registry.
        group: entry-point group.
        base: address of the base class, if any.
        method: method that a component must have, if any.
        functions: whether the components are functions, rather than classes.
    """

    registry: str
    group: str
    base: str | None = None
    method: str | None = None
    functions: bool = False

    def components(self) -> dict[str, Any]:
        """Import the registry."""
        found: dict[str, Any] = Reference.of(self.registry).load()
        return found


SLOTS: dict[str, Slot] = {
    "model": Slot("recpair.models:MODELS", "recpair.models", base="recpair.models:Model"),
    "loss": Slot("recpair.losses:LOSSES", "recpair.losses", functions=True),
    "denoise": Slot("recpair.denoising:DENOISERS", "recpair.denoisers", method="choose"),
    "hard_negatives": Slot("recpair.mining:MINERS", "recpair.miners", method="choose"),
    "terms": Slot("recpair.terms:TERMS", "recpair.terms", base="recpair.terms:Term"),
    "evaluate.metrics": Slot("recpair.evaluation.metrics:METRICS", "recpair.metrics", functions=True),
}


def register(section: str, component: Any) -> str:
    """Add a function, class or instance to the registry of a section; return its name there, by default its dotted path.

    An instance is copied for each run.

    Raises:
        ConfigError: the component does not have the interface of the section.
    """
    slot = SLOTS[section]
    for name, known in slot.components().items():
        if known is component:
            return name
    named = component.func if isinstance(component, functools.partial) else component
    named = named if hasattr(named, "__qualname__") else type(named)
    name = f"{named.__module__}{OUTSIDE}{named.__qualname__}"
    if not slot.functions and not isinstance(component, type):
        component = _copies_of(component)
    _add(section, name, component)
    return name


def with_names(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return raw sections in which components given as objects are registered and replaced by their names."""
    result = dict(raw)
    for section in SLOTS:
        outer, _, inner = section.partition(".")
        found = result.get(outer)
        if inner and isinstance(found, Mapping) and isinstance(found.get(inner), Sequence):
            result[outer] = {**found, inner: _named(section, found[inner])}
        elif not inner and found is not None:
            result[outer] = _named(section, found)
    return result


def assignments(**sections: Any) -> list[str]:
    """Return overrides of whole sections, whose components may be objects; None leaves a section as it is."""
    given = with_names({name: section for name, section in sections.items() if section is not None})
    return [f"{name}={json.dumps(section)}" for name, section in given.items()]


def resolve(raw: Mapping[str, Any], plugins: Sequence[str] | None = None) -> None:
    """Add the components that raw sections name, by dotted path or entry point, to their registries.

    Args:
        plugins: modules whose components may be imported, with their submodules; None: any module.

    Raises:
        ConfigError: a module cannot be imported, or does not have the component.
    """
    for section, key, name in unknown(raw):
        module, outside, _ = name.partition(OUTSIDE)
        if outside and (plugins is None or any(f"{module}.".startswith(f"{plugin}.") for plugin in plugins)):
            _add(section, name, _imported(key, name))
        elif not outside and (entry := _entry_point(SLOTS[section].group, name)):
            _add(section, name, entry.load())


def unknown(raw: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return section, config key and name of each component that raw sections name and that no registry has."""
    return [each for each in _names(raw) if each[2] not in registry(SLOTS[each[0]].registry)]


def modules_of(raw: Mapping[str, Any], section: str) -> list[str]:
    """Return the modules of the components that a section names by dotted path."""
    names = (name for named, _, name in _names(raw) if named == section)
    return list(dict.fromkeys(name.partition(OUTSIDE)[0] for name in names if OUTSIDE in name))


def _names(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield section, config key and name of each component that raw sections name."""
    for section in SLOTS:
        outer, _, inner = section.partition(".")
        found = raw.get(outer)
        found = found.get(inner) if inner and isinstance(found, Mapping) else found
        for place, entry in enumerate(found if isinstance(found, list) else [found]):
            yield from _named_in(section, f"{section}.{place}" if isinstance(found, list) else section, entry)


def _named_in(section: str, key: str, entry: Any) -> Iterator[tuple[str, str, str]]:
    """Yield section, config key and name of a component, and of the members of a blend."""
    name = entry.get("name") if isinstance(entry, Mapping) else entry
    if isinstance(name, str):
        yield section, f"{key}.name", name
    members = entry.get("members") if section == "model" and isinstance(entry, Mapping) else None
    for place, member in enumerate(members if isinstance(members, list) else []):
        yield from _named_in(section, f"{key}.members.{place}", member)


def import_modules(plugins: Sequence[str | ModuleType]) -> list[str]:
    """Import modules that the caller has named; return their names.

    Raises:
        ConfigError: a module cannot be imported.
    """
    if isinstance(plugins, str | ModuleType) or not all(isinstance(each, str | ModuleType) for each in plugins):
        raise ConfigError(f"plugins must be a list of modules such as ['my_package'], got {shown(plugins)}")
    found = [plugin.__name__ if isinstance(plugin, ModuleType) else plugin for plugin in plugins]
    for name in found:
        _module("plugins", name)
    return found


def is_loaded(filename: str) -> bool:
    """Return True if a source file is that of a registered component from outside the package."""
    names = (name for slot in SLOTS.values() for name in registry(slot.registry))
    modules = {name.partition(OUTSIDE)[0] for name in names if OUTSIDE in name}
    return any(getattr(sys.modules.get(module), "__file__", None) == filename for module in modules)


def _named(section: str, given: Any) -> Any:
    """Replace the objects in a section by names."""
    if isinstance(given, Mapping):
        name = given.get("name")
        return {**given, "name": register(section, name)} if _is_object(name) else dict(given)
    if isinstance(given, list | tuple):
        return [_named(section, entry) for entry in given]
    return register(section, given) if _is_object(given) else given


def _is_object(value: Any) -> bool:
    return value is not None and not isinstance(value, str | int | float | Mapping | list | tuple)


def _copies_of(instance: Any) -> Callable[[], Any]:
    def copied() -> Any:
        return copy.deepcopy(instance)

    if hasattr(instance, "choose"):
        copied.choose = instance.choose  # type: ignore[attr-defined]
        copied.candidates = getattr(instance, "candidates", 1)  # type: ignore[attr-defined]
    copied.__doc__ = type(instance).__doc__
    return copied


def _add(section: str, name: str, component: Any) -> None:
    """Check the interface of a component as far as it does not depend on a run, and add it to its registry."""
    slot, where = SLOTS[section], f"{section}.name is {shown(name)}"
    if slot.base is not None:
        base = Reference.of(slot.base).load()
        if not (isinstance(component, type) and issubclass(component, base)):
            raise ConfigError(f"{where}; expected a class derived from {slot.base.replace(':', '.')}")
    if slot.method is not None and not callable(getattr(component, slot.method, None)):
        raise ConfigError(f"{where}; expected a class with the method {slot.method}")
    if not callable(component):
        raise ConfigError(f"{where}, of type {type(component).__name__}; expected a function or a class")
    for option, (annotation, _) in options(component).items():
        if annotation is Parameter.empty:
            raise ConfigError(f"{where}, whose option {option} has no type; annotate it, as in {option}: float = 1.0")
    if section == "loss":
        Reference.of("recpair.losses:kind_of").load()(component)
    slot.components()[name] = component


def _imported(key: str, path: str) -> Any:
    """Import the object of a dotted path, ``module:name``."""
    module, _, name = path.partition(OUTSIDE)
    found: Any = _module(f"{key} is {shown(path)}", module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{key} is {shown(path)}, but {module} has no {shown(part)}{nearest(part, dir(found))}")
        found = getattr(found, part)
    return found


def _module(where: str, name: str) -> ModuleType:
    try:
        with _current_directory_on_path():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"{where}, but there is no module {shown(error.name)} in the current directory or among the installed "
                f"packages; expected module:name"
            ) from None
        raise _failed(where, name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(where, name, error) from error


def _failed(where: str, name: str, error: BaseException) -> ConfigError:
    return ConfigError(
        f"{where}, but importing {name} fails with {type(error).__name__}: {one_line(str(error), 200)}; try python -c "
        f"'import {name}'"
    )


@contextlib.contextmanager
def _current_directory_on_path() -> Iterator[None]:
    """Make modules of the current directory importable, after those of installed packages."""
    directory = os.getcwd()
    added = directory not in sys.path and "" not in sys.path
    if added:
        sys.path.append(directory)
        importlib.invalidate_caches()
    try:
        yield
    finally:
        if added and directory in sys.path:
            sys.path.remove(directory)


def _entry_point(group: str, name: str) -> metadata.EntryPoint | None:
    """Entry point of an installed package."""
    return next(iter(_entry_points().select(group=group, name=name)), None)


@functools.cache
def _entry_points() -> Any:
    return metadata.entry_points()

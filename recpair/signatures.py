"""Signatures read from source: the options of a component without importing it or its dependencies.

A config is checked against the signatures of its components. Importing them takes seconds (torch, numba), parsing their
files takes milliseconds, so that a misspelt key is reported at once. The signature in the source is the only description
of the options, identical to that of ``inspect`` after the import; a test asserts this for every registered component.
"""

import ast
import builtins
import importlib
import inspect
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
ROOT = Path(__file__).parent
OUTSIDE = ":"  # in the name of a component from outside the package, ``module:name``


@dataclass(frozen=True)
class Reference:
    """Address of a function or class of this package, for example ``recpair.models.mf``, ``MF``."""

    module: str
    name: str

    @classmethod
    def of(cls, address: str) -> "Reference":
        """Parse an address, ``recpair.models.mf:MF``; imported names are resolved to the defining module."""
        module, _, name = address.partition(":")
        home = _home(module, name)
        return home if home is not None else cls(module, name)

    def load(self) -> Any:
        """Import the module and return the object."""
        return getattr(importlib.import_module(self.module), self.name)


Component = Callable[..., Any] | Reference | Signature


def signature(component: Component) -> Signature:
    """Return the signature of a component: of an object by ``inspect``, of a ``Reference`` from its source.

    If read from source, only keyword-only parameters have annotations and defaults.
    """
    if isinstance(component, Signature):
        return component
    if isinstance(component, Reference):
        return _read(component)
    try:
        return inspect.signature(component, eval_str=True)
    except NameError:  # an annotation of a module that imports types for type checkers only
        return inspect.signature(component)


def summary(component: Component) -> str:
    """Return the first line of the docstring of a component, of a ``Reference`` from its source."""
    if isinstance(component, Reference):
        node = _top_level(component.module).get(component.name)
        text = ast.get_docstring(node) if isinstance(node, ast.ClassDef | ast.FunctionDef) else None
    else:
        text = inspect.getdoc(component)
    return (text or "").partition("\n")[0]


class Registry(Mapping[str, Component]):
    """Components of a registry by name, from its source, plus those added at runtime."""

    def __init__(self, address: Reference) -> None:
        self._address, self._written = address, _written(address)

    def _all(self) -> Mapping[str, Component]:
        loaded = sys.modules.get(self._address.module)
        live = {} if loaded is None else getattr(loaded, self._address.name, {})
        return {**{name: component for name, component in live.items() if name not in self._written}, **self._written}

    def __getitem__(self, name: str) -> Component:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __or__(self, other: Mapping[str, Component]) -> "ChainMap[str, Component]":
        return ChainMap(dict(other), self)  # type: ignore[arg-type]


def registry(address: str) -> Registry:
    """Return the components of a registry, ``recpair.models:MODELS``; it must be a literal dict of names → components."""
    return Registry(Reference.of(address))


def _written(reference: Reference) -> dict[str, Reference]:
    literal = _top_level(reference.module)[reference.name]
    assert isinstance(literal, ast.Dict), f"{reference.module}:{reference.name} must be a literal dict"
    return {
        _value(reference.module, key): Reference.of(f"{reference.module}:{ast.unparse(value)}")
        for key, value in zip(literal.keys, literal.values, strict=True)
        if key is not None
    }


def ancestors(reference: Reference) -> set[str]:
    """Return the names of all base classes of a class of this package, including indirect ones."""
    node = _top_level(reference.module).get(reference.name)
    found: set[str] = set()
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        home = _home(reference.module, ast.unparse(base))
        found |= {home.name, *ancestors(home)} if home is not None else {ast.unparse(base)}
    return found


@cache
def _read(reference: Reference) -> Signature:
    node = _top_level(reference.module).get(reference.name)
    if isinstance(node, ast.ClassDef):
        return _of_class(reference, node)
    if isinstance(node, ast.FunctionDef):
        return _of_arguments(reference.module, node.args)
    return inspect.signature(reference.load())


def _of_class(reference: Reference, node: ast.ClassDef) -> Signature:
    """Signature of ``__init__``, inherited if necessary; decorated classes (dataclasses) are imported instead."""
    if node.decorator_list:
        return inspect.signature(reference.load())
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            first, *rest = _of_arguments(reference.module, method.args).parameters.values()
            assert first.name == "self"
            return Signature(rest)
    for base in node.bases:
        home = _home(reference.module, ast.unparse(base))
        if home is not None and (inherited := _read(home).parameters):
            return Signature(list(inherited.values()))
    return Signature()


def _of_arguments(module: str, arguments: ast.arguments) -> Signature:
    supplied = [Parameter(a.arg, Parameter.POSITIONAL_OR_KEYWORD) for a in [*arguments.posonlyargs, *arguments.args]]
    options = [
        Parameter(
            argument.arg,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if default is None else _value(module, default),
            annotation=Parameter.empty if argument.annotation is None else _value(module, argument.annotation),
        )
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return Signature([*supplied, *options])


def _value(module: str, expression: ast.expr) -> Any:
    """Evaluate an annotation or a default in the context of its module."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    code = compile(ast.Expression(expression), f"{module} (an annotation)", "eval")
    return eval(code, {name: _named(module, name) for name in names})  # evaluates only source of this package


@cache
def _named(module: str, name: str) -> Any:
    """Resolve a name in a module: aliases and constants are evaluated, everything else is imported."""
    node = _top_level(module).get(name)
    if isinstance(node, ast.expr):
        return _value(module, node)
    if isinstance(node, tuple):
        source, original = node
        if original is None:
            return importlib.import_module(source)
        return _named(source, original) if _is_own(source) else getattr(importlib.import_module(source), original)
    if node is None and hasattr(builtins, name):
        return getattr(builtins, name)
    return getattr(importlib.import_module(module), name)


def _home(module: str, name: str) -> Reference | None:
    """Find the module of this package that defines a name, following imports; None if it is outside of this package."""
    node = _top_level(module).get(name) if _is_own(module) else None
    if isinstance(node, tuple):
        source, original = node
        return _home(source, original) if original is not None else None
    return None if node is None else Reference(module, name)


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


@cache
def _top_level(module: str) -> dict[str, Any]:
    """Top-level names of a module: the AST of a definition or assigned value, or (module, name) of an import."""
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            names[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            names |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: (alias.name, None) for alias in node.names}
    return names

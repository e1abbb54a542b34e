"""Reference pages of configs: every section, component and option, from signatures and docstrings."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import yaml
from rst import arguments, heading, literal, prose, table, toctree
from types_in_words import in_words

from recpair.comparison import COMPARISONS
from recpair.config import Section
from recpair.diagnostics import DIAGNOSTICS
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.metrics import METRICS
from recpair.experiment.schema import SCHEMA, SEARCH
from recpair.integrations import BLEND
from recpair.integrations.all_models import ALL_MODELS
from recpair.registry import options
from recpair.sampling import NEGATIVES
from recpair.signatures import Reference, signature
from recpair.step import SUPPLIES

SECTIONS: dict[str, Section] = SCHEMA | SEARCH
FURTHER = {  # components that are named inside a section
    "sampler": ("Negatives", "sampler.negatives", NEGATIVES),
    "evaluate": ("Metrics", "evaluate.metrics", METRICS),
}
REGISTRIES = {
    "diagnostics": (
        "Diagnostics",
        DIAGNOSTICS,
        "Logged values of a training step. Registered in Python, without a config key.",
    ),
    "comparisons": ("Comparisons", COMPARISONS, "Functions of the test results of several runs."),
}
OTHER_MODELS = (
    "``recbole/NAME`` is a model of RecBole 1.2.1 with its own options: "
    ":doc:`list </benchmarks/results/recbole_models>`. ``blend`` is made of finished runs by ``recpair blend`` "
    "(:doc:`/docs/runs`):\n\n"
)


def pages() -> dict[str, str]:
    """Names and texts of the pages."""
    found = {f"reference/config/{name}.rst": section_page(name, spec) for name, spec in SECTIONS.items()}
    for name, (title, registry, text) in REGISTRIES.items():
        found[f"reference/config/{name}.rst"] = heading(title) + f"{text}\n\n" + components(registry)
    found["reference/config/index.rst"] = index()
    return found


def index() -> str:
    """Table of all sections with their keys."""
    rows = [
        (f":doc:`{name}`", default(spec.default) if spec.default != {} else "all defaults", keys(spec))
        for name, spec in SECTIONS.items()
    ]
    text = (
        "All sections of a config, with all options and components. The pages are generated from the signatures and "
        "docstrings of the code. :doc:`/docs/configs` explains files, overrides and errors.\n\n"
    )
    names = [*SECTIONS, *REGISTRIES]
    return (
        heading("Config reference") + text + table(("section", "default", "keys"), rows) + toctree(names, hidden=True)
    )


def keys(spec: Section) -> str:
    """Keys of a section: those of its functions, and ``name`` with the options of the component."""
    own = ", ".join(literal(option) for function in spec.functions for option in options(function))
    if spec.choices is not None:
        return f"``name``, options of the component{', ' if own else ''}{own}"
    return own or "a plain value"


def section_page(name: str, spec: Section) -> str:
    parts = [heading(name)]
    if spec.value is not None:
        kind = {str: "text", int: "integer"}[spec.value]
        return parts[0] + f"A plain value: {kind}, by default {default(spec.default)}.\n"
    parts.append(f"Without this section: {without_section(spec)}\n\n")
    if spec.many:
        parts.append("A list of components, each with the keys below and the options of the component.\n\n")
    for function in spec.functions:
        parts.append(heading(f"Keys of {address(function).rpartition('.')[2]}", 2) if len(spec.functions) > 1 else "")
        parts.append(described(function))
    if spec.choices is not None:
        parts.append(components(spec.choices))
    if name == "model":
        parts.append(heading("Other models", 2) + OTHER_MODELS + described(ALL_MODELS[BLEND]))
    if name in FURTHER:
        title, key, registry = FURTHER[name]
        parts.append(heading(title, 2) + f"Names of ``{key}``.\n\n" + components(registry, level=3))
    return "".join(parts)


def without_section(spec: Section) -> str:
    """Meaning of a config that does not have the section."""
    if spec.many:
        return "an empty list."
    if spec.default is None:
        usual = f" Without ``name``: ``{spec.usual_name}``." if spec.usual_name else ""
        return f"off.{usual}"
    return f"``name: {spec.usual_name}``." if spec.usual_name else "all defaults."


def components(registry: Mapping[str, Any], level: int = 2) -> str:
    return "".join(heading(name, level) + described(registry[name]) for name in sorted(registry))


def described(component: Any) -> str:
    """Text, options and requirements of a component, and its place in the package."""
    target = component.load() if isinstance(component, Reference) else component
    text, meanings = documented(target)
    rows = [
        (literal(name), in_words(annotation), default(value), meanings.get(name, ""))
        for name, (annotation, value) in options(component).items()
    ]
    header = ("option", "type", "default", "meaning") if any(row[3] for row in rows) else ("option", "type", "default")
    parts = [prose(text)]
    if rows:
        parts.append(table(header, [row[: len(header)] for row in rows]))
    if supplied := [name for name in names_before_star(target) if name in SUPPLIES or name in LEGEND]:
        parts.append(f"Supplied: {', '.join(map(literal, supplied))} (:doc:`/reference/legends`).\n\n")
    parts.append(f"Code: {literal(address(target))}\n\n")
    return "".join(parts)


def address(component: Any) -> str:
    """Dotted path of a component."""
    if isinstance(component, Reference):
        return f"{component.module}.{component.name}"
    return f"{component.__module__}.{component.__qualname__}"


def documented(target: Any) -> tuple[str, dict[str, str]]:
    """Docstring of a component without its arguments, and the meanings of the arguments."""
    text, meanings = arguments(inspect.getdoc(target) or "")
    if inspect.isclass(target):
        for base in reversed(target.__mro__):
            if (made := vars(base).get("__init__")) is not None and made.__doc__:
                rest, more = arguments(inspect.cleandoc(made.__doc__))
                meanings |= more
                if base is target and rest.startswith("Raises:"):
                    text += f"\n\n{rest}"
    return text, meanings


def names_before_star(target: Any) -> list[str]:
    """Supplied names in the signatures of a component: of itself, and of the method that a step calls."""
    methods = [vars(target).get(name) for name in ("forward", "choose", "draw")] if inspect.isclass(target) else []
    found = [
        parameter.name
        for each in [target, *filter(callable, methods)]
        for parameter in signature(each).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return list(dict.fromkeys(found))


def default(value: Any) -> str:
    """Default of an option as it would be written in a config."""
    if value is ...:
        return "required"
    if isinstance(value, tuple):
        value = list(value)
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").strip()
    return literal(re.sub(r"\s+", " ", written)) if written else "``''``"

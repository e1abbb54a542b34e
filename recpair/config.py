"""Validation of config sections against the signatures of the components.

The sections are listed in ``schema.py``, each with the functions that it configures.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from recpair.errors import ConfigError, one_line, shown
from recpair.redaction import redacted_values
from recpair.registry import lookup, nearest, options
from recpair.signatures import Component

ALIASES = {
    "embedding_size": "embedding_dim",
    "hidden_size": "embedding_dim",
    "lr": "learning_rate",
    "train_batch_size": "batch_size",
    "stopping_step": "patience",
    "eval_step": "validate_every",
    "train_neg_sample_num": "n_negatives",
    "max_item_list_length": "history_length",
    "topk": "cutoffs",
    "valid_metric": "monitor",
    "has_header": "header",
}
CHECKS = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
SMALLEST, LARGEST = 1e-37, 1e37  # magnitudes in single precision, with room for arithmetic
TYPE_NAMES = {"str", "int", "float", "bool"}  # names of the branches of a union in pydantic
METRIC_ALIASES = {
    "hr": "hit",
    "hit_ratio": "hit",
    "hitratio": "hit",
    "itemcoverage": "coverage",
    "averagepopularity": "popularity",
    "giniindex": "gini",
}


@dataclass(frozen=True)
class Section:
    """Schema of a config section.

    Attributes:
        functions: functions whose keyword-only parameters are the keys of the section.
        choices: components, selected by the key ``name``; the options of the selected one are keys too.
        default: value if the section is missing (None: the section is off).
        many: whether the section is a list of components.
        value: type of a section that is a plain value, without keys.
        optional: whether an explicit null switches the section off.
        usual: component of a section that does not give a name.
    """

    functions: tuple[Component, ...] = ()
    choices: Mapping[str, Component] | None = None
    default: Any = field(default_factory=dict)
    many: bool = False
    value: type | None = None
    optional: bool = False
    usual: str | None = None

    @property
    def usual_name(self) -> str:
        """Name of the component of a section that does not give one; empty if a name is required."""
        named = isinstance(self.default, dict) and "name" in self.default
        return self.default["name"] if named else self.usual or ""


@dataclass(frozen=True)
class Config:
    """Effective config: all sections with defaults filled in, and notes on replaced aliases."""

    sections: dict[str, Any]
    notes: tuple[str, ...] = ()

    def __getitem__(self, section: str) -> Any:
        return self.sections[section]

    def flat(self) -> dict[str, Any]:
        """Return values by dotted name, as logged to MLflow; passwords in URLs are masked."""
        return dict(_flatten(redacted_values(self.sections)))

    def to_yaml(self) -> str:
        """Return the sections as YAML; passwords in URLs are masked."""
        return yaml.safe_dump(redacted_values(self.sections), sort_keys=False, allow_unicode=True)


def parse(raw: Mapping[str, Any], schema: Mapping[str, Section], unchecked: Collection[str] = ()) -> Config:
    """Check every section against its schema and fill in the defaults.

    Args:
        unchecked: names of components that are unknown; their options are left as they are.

    Raises:
        ConfigError: keys are unknown or invalid; the message lists all of them, with the nearest known name.
    """
    for section in raw:
        if section not in schema:
            raise ConfigError(
                f"config section {shown(section)} is unknown{nearest(section, schema)} (sections: {', '.join(schema)})"
            )
    notes: list[str] = []
    sections = {name: _section(name, spec, raw, schema, notes, unchecked) for name, spec in schema.items()}
    return Config(sections, tuple(notes))


def _section(
    name: str,
    spec: Section,
    raw: Mapping[str, Any],
    schema: Mapping[str, Section],
    notes: list[str],
    unchecked: Collection[str],
) -> Any:
    given = raw.get(name, spec.default)
    if spec.value is not None:
        if not isinstance(given, spec.value) or isinstance(given, bool):
            raise ConfigError(f"{name}: expected {spec.value.__name__}, got {shown(given)}")
        return given
    if spec.many:
        given = [] if given is None else given
        if not isinstance(given, list):
            raise ConfigError(f"{name}: expected a list, got {shown(given)}")
        return [
            _checked(f"{name}.{i}", spec, entry, schema, notes, unchecked)
            for i, entry in enumerate(each for each in given if each is not None)
        ]
    if given is None and (spec.optional or spec.default is None):
        return None
    return _checked(name, spec, {} if given is None else given, schema, notes, unchecked)


def _checked(
    where: str,
    spec: Section,
    given: Any,
    schema: Mapping[str, Section],
    notes: list[str],
    unchecked: Collection[str] = (),
) -> dict[str, Any]:
    """Check the keys of a section against the signatures of its components."""
    if isinstance(given, str) and spec.choices is not None:
        given = {"name": given}
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: expected keys and values, got {shown(given)}")
    given = dict(given)
    components: tuple[Component, ...] = spec.functions
    head: dict[str, Any] = {}
    if spec.choices is not None:
        chosen = given.pop("name", spec.usual_name or None)
        if not isinstance(chosen, str):
            found = "missing" if chosen is None else shown(chosen)
            raise ConfigError(f"{where}.name is {found}; expected one of {', '.join(sorted(spec.choices))}")
        if chosen in unchecked:
            return {"name": chosen, **given}
        components = (lookup(spec.choices, chosen, f"{where}.name"), *components)
        head = {"name": chosen}
    fields, model = _model(components)
    given = _understood(where, given, fields, notes)
    try:
        checked = model(**given)
    except ValidationError as error:
        raise ConfigError(_explain(where, error, fields, schema)) from None
    values: dict[str, Any] = checked.model_dump(mode="json", by_alias=True)  # lists instead of tuples, as in YAML
    _refuse_booleans(where, given, values)
    for key, value in _flatten(values, where):
        for number in value if isinstance(value, list) else [value]:
            _refuse_unusable(key, number)
    return head | values


def _model(components: tuple[Component, ...]) -> tuple[dict[str, Any], type[BaseModel]]:
    """Options of components, and the pydantic model that checks them."""
    try:
        return _known_model(components)
    except TypeError:  # a model of RecBole, whose defaults are lists, has no hash
        return _new_model(components)


@lru_cache(maxsize=1024)
def _known_model(components: tuple[Component, ...]) -> tuple[dict[str, Any], type[BaseModel]]:
    """``_new_model``, created once, as that takes milliseconds."""
    return _new_model(components)


def _new_model(components: tuple[Component, ...]) -> tuple[dict[str, Any], type[BaseModel]]:
    fields = {name: option for component in components for name, option in options(component).items()}
    definitions: dict[str, Any] = dict(field_of(name, *option) for name, option in fields.items())
    return fields, create_model("Section", __config__=CHECKS, **definitions)


def field_of(name: str, annotation: Any, default: Any) -> tuple[str, Any]:
    """Return name and definition of a pydantic field; a key that is also a method of pydantic\x27s models has an alias."""
    if hasattr(BaseModel, name):
        return f"{name}_", (annotation, Field(default, alias=name))
    return name, (annotation, default)


def checked_component(where: str, choices: Mapping[str, Component], given: Any) -> dict[str, Any]:
    """Check a component given by name or as ``{name: …, option: …}``; return its options, defaults included.

    Raises:
        ConfigError: a key is unknown or invalid.
    """
    return _checked(where, Section(choices=choices), given, {}, [])


def _refuse_unusable(key: str, value: Any) -> None:
    """Raise a ConfigError for an integer beyond 64 bits, or a float beyond the range of single precision."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ConfigError(f"config key {key}: {shown(value)} is too large; expected a number that fits 64 bits")
    if isinstance(value, float) and value and not SMALLEST <= abs(value) <= LARGEST:
        raise ConfigError(
            f"config key {key}: {shown(value)} does not fit single precision; expected 0, or a magnitude from "
            f"{SMALLEST:g} to {LARGEST:g}"
        )


def _refuse_booleans(where: str, given: Any, checked: Any) -> None:
    """Raise a ConfigError if pydantic has converted true or false to a number, also in lists."""
    if isinstance(given, bool) and not isinstance(checked, bool):
        raise ConfigError(f"config key {where}: expected a number, got {str(given).lower()}")
    if isinstance(given, dict) and isinstance(checked, dict):
        for key in given.keys() & checked.keys():
            _refuse_booleans(f"{where}.{key}", given[key], checked[key])
    if isinstance(given, list) and isinstance(checked, list):
        for place, (value, read) in enumerate(zip(given, checked, strict=False)):
            _refuse_booleans(f"{where}.{place}", value, read)


def _understood(where: str, given: dict[str, Any], fields: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Replace key names of other packages by those of recpair, with a note for each."""
    result: dict[str, Any] = {}
    for key, value in given.items():
        ours = ALIASES.get(str(key).lower())
        if key not in fields and ours is not None and ours in fields and ours not in given:
            notes.append(f"{where}.{key} is understood as {where}.{ours}")
            key = ours
        if key in ("metrics", "monitor"):
            renamed = [metric_name(m) for m in value] if isinstance(value, list) else metric_name(value)
            if renamed != value:
                notes.append(f"{where}.{key}: {shown(value)} is understood as {shown(renamed)}")
            value = renamed
        if (key == "cutoffs" and isinstance(value, int)) or (key == "metrics" and isinstance(value, str)):
            value = [value]
        result[str(key)] = value
    return result


def metric_name(name: Any) -> Any:
    """Return a metric name in the spelling of recpair: ``NDCG@10`` → ``ndcg@10``, ``hr@10`` → ``hit@10``."""
    if not isinstance(name, str):
        return name
    base, at, cutoff = name.strip().lower().partition("@")
    return METRIC_ALIASES.get(base, base) + at + cutoff


def _explain(where: str, error: ValidationError, fields: Mapping[str, Any], schema: Mapping[str, Section]) -> str:
    """One-line message on all errors in a section."""
    messages = []
    wrong: dict[str, list[str]] = {}  # a union has an error for each of its types
    for problem in error.errors(include_url=False):
        parts = [one_line(str(part), 60) for part in problem["loc"] if not re.search(r"[\[\(]", str(part))]
        if len(parts) > 1 and parts[-1] in TYPE_NAMES:
            parts = parts[:-1]
        key = ".".join([where, *parts])
        if problem["type"] == "extra_forbidden":
            messages.append(f"config key {key} is unknown{_suggest(parts[-1], where, fields, schema)}")
        elif problem["type"] == "missing":
            messages.append(f"config key {key} is missing")
        else:
            wrong.setdefault(f"config key {key}: {{}}, got {shown(problem['input'])}", []).append(
                _lower_first(problem["msg"])
            )
    messages += [place.replace("{}", " or ".join(dict.fromkeys(said)), 1) for place, said in wrong.items()]
    return "; ".join(dict.fromkeys(messages))


def _suggest(key: str, own: str, fields: Mapping[str, Any], schema: Mapping[str, Section]) -> str:
    """Suggest the nearest key of this section, else a section that has this key, else all keys."""
    if near := nearest(key, fields):
        return near
    for section, spec in schema.items():
        components = [*spec.functions, *(spec.choices or {}).values()]
        if section != own and any(key in options(component) for component in components):
            return f"; did you mean {section}.{key}?"
    return f" (known: {', '.join(fields)})" if fields else " (this component has no options)"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _flatten(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [pair for key, inner in value.items() for pair in _flatten(inner, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        return [pair for i, entry in enumerate(value) for pair in _flatten(entry, f"{prefix}.{i}")]
    return [(prefix, value)]

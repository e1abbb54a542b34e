"""JSON Schema of configs, for completion and checks in editors, from the signatures of the components."""

from collections.abc import Mapping
from typing import Any

from pydantic import create_model

from recpair.aliases import SECTIONS
from recpair.config import CHECKS, Section, field_of
from recpair.experiment.schema import SCHEMA, SEARCH
from recpair.registry import options
from recpair.signatures import Component, summary

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ELSEWHERE = r"^(recbole/\w+|[\w.]+:\w+)$"  # a model of RecBole, or the dotted path of a user's component


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config.

    A section with components accepts the name of a component, or a mapping with ``name`` and its options. Relations
    between sections (``requirements``) are not part of the schema.
    """
    sections = {name: _section(spec) for name, spec in {**SCHEMA, **SEARCH}.items()}
    sections |= {before: sections[now] | {"deprecated": True} for before, now in SECTIONS.items()}
    sections["train"]["properties"]["l2"] = {"type": "number", "minimum": 0, "deprecated": True}
    return {
        "$schema": DIALECT,
        "title": "recpair config",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
    }


def _section(spec: Section) -> dict[str, Any]:
    if spec.value is not None:
        return {"type": {str: "string", int: "integer"}[spec.value], "default": spec.default}
    shared = {key: value for function in spec.functions for key, value in _properties(function).items()}
    found = _object(shared, _required(*spec.functions))
    if spec.choices is not None:
        found = _choice(spec.choices, shared, spec)
    if spec.many:
        return {"type": "array", "items": {"anyOf": [found, {"type": "null"}]}, "default": []}
    if spec.default is None or spec.optional:
        return {"anyOf": [found, {"type": "null"}], "default": spec.default}
    return found


def _choice(choices: Mapping[str, Component], shared: dict[str, Any], spec: Section) -> dict[str, Any]:
    """A name, or a mapping with the options of the component of that name."""
    forms = []
    for name, component in sorted(choices.items()):
        properties = {"name": {"const": name}} | _properties(component) | shared
        required = [*([] if name == spec.usual_name else ["name"]), *_required(component, *spec.functions)]
        forms.append(_object(properties, required) | {"title": name, "description": summary(component)})
    elsewhere = {"type": "string", "pattern": ELSEWHERE}
    return {
        "anyOf": [
            {"enum": sorted(choices)},
            *forms,
            elsewhere,
            {"type": "object", "properties": {"name": elsewhere}, "required": ["name"]},
        ]
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _required(*components: Component) -> list[str]:
    return [name for component in components for name, (_, default) in options(component).items() if default is ...]


def _properties(component: Component) -> dict[str, Any]:
    """Schemas of the options of a component."""
    fields: dict[str, Any] = dict(field_of(name, *each) for name, each in options(component).items())
    schema = create_model("Options", __config__=CHECKS, **fields).model_json_schema()
    assert "$defs" not in schema, "options have plain types"
    return {
        name: {k: v for k, v in each.items() if k != "title"} for name, each in schema.get("properties", {}).items()
    }

"""Types and bounds of options in words, from the JSON Schema that pydantic makes of an annotation."""

from typing import Any

from pydantic import ConfigDict, TypeAdapter
from rst import literal

NAMES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
ONE_SIDED = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def in_words(annotation: Any) -> str:
    """Type of an option with its bounds: "integer > 0", "number in [0, 1)", "``dot`` or ``cosine``"."""
    try:
        schema = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True)).json_schema()
    except Exception:  # a type of dataclass or pydantic, which has its own configuration
        schema = TypeAdapter(annotation).json_schema()
    return _words(schema)


def _words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(literal(value) for value in schema["enum"])
    if "const" in schema:
        return literal(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        return _list(schema)
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"mapping to {_words(values)}" if isinstance(values, dict) and values else "mapping"
    return f"{NAMES.get(kind or '', 'any value')}{_bounds(schema)}"


def _list(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {_words(schema['prefixItems'][0])}"
    items = schema.get("items", {})
    return f"list of {_words(items)}" if items else "list"


def _bounds(schema: dict[str, Any]) -> str:
    low = next((key for key in ("minimum", "exclusiveMinimum") if key in schema), None)
    high = next((key for key in ("maximum", "exclusiveMaximum") if key in schema), None)
    if low and high:
        opening, closing = "[" if low == "minimum" else "(", "]" if high == "maximum" else ")"
        return f" in {opening}{schema[low]:g}, {schema[high]:g}{closing}"
    return "".join(f" {ONE_SIDED[key]} {schema[key]:g}" for key in (low, high) if key)

"""Earlier names of sections and keys, still supported, with a note."""

from collections.abc import Mapping, Sequence
from typing import Any

from recpair.errors import ConfigError, shown

L2_KEYS = ("l2", "reg_weight")
SECTIONS = {"contrast": "terms"}


def current_path(assignment: str) -> str:
    """Return an override with the current name of its section."""
    section, dot, rest = assignment.partition(".")
    if not dot:
        section, equals, rest = assignment.partition("=")
        return SECTIONS.get(section.strip(), section) + equals + rest
    return SECTIONS.get(section.strip(), section) + dot + rest


def current_sections(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return raw sections under their current names, and the notes to print."""
    result, notes = dict(raw), []
    for before, now in SECTIONS.items():
        if before in result:
            if now in result:
                raise ConfigError(f"config sections {before} and {now} are the same; keep {now}")
            result = {now if name == before else name: section for name, section in result.items()}
            if result[now]:
                notes.append(f"{before} is understood as {now}")
    return result, notes


def l2_as_term(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return raw sections with ``train.l2`` as the first term, l2; its weight replaces that of an existing term l2."""
    train = raw.get("train")
    given = [key for key in L2_KEYS if isinstance(train, Mapping) and key in train]
    if not given:
        return dict(raw), []
    assert isinstance(train, Mapping)
    weight = _number(train[given[0]])
    result = dict(raw) | {"train": {key: value for key, value in train.items() if key not in L2_KEYS}}
    terms = raw.get("terms") or []
    if not isinstance(terms, Sequence) or isinstance(terms, str):
        return result, []  # the section itself is wrong, and is reported
    others = [entry for entry in terms if _name(entry) != "l2"]
    if weight == 0 and len(others) == len(terms):
        return result, []
    result["terms"] = [{"name": "l2", "weight": weight}, *others]
    return result, [f"train.l2: {weight:g} is understood as terms: [{{name: l2, weight: {weight:g}}}]"]


def _number(weight: Any) -> float:
    """Convert a weight to float, including text such as "1e-6" (YAML reads it as text).

    Raises:
        ConfigError: the weight is not a number of at least 0.
    """
    try:
        number = -1.0 if isinstance(weight, bool) else float(weight)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(f"config key train.l2: expected a number of at least 0, got {shown(weight)}")
    return number


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, Mapping) else entry

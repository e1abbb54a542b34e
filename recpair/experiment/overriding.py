"""Origin of the values of a config, and the keys that become meaningless when an override replaces a component."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recpair.config import ALIASES, Section
from recpair.errors import shown
from recpair.integrations import is_sequence_model
from recpair.registry import options


@dataclass(frozen=True)
class Given:
    """Values of a config as given, and those of them that are overrides.

    Attributes:
        raw: the sections, before defaults are filled in.
        overrides: dotted paths of the overrides.
        l2: whether ``train.l2`` was replaced by a term.
    """

    raw: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    l2: bool = False

    @property
    def model_replaced(self) -> bool:
        """True if an override names the model."""
        return self.overridden("model.name")

    def names(self, section: str, key: str) -> bool:
        """Return True if a section is given with this key."""
        found = self.raw.get(section)
        return isinstance(found, Mapping) and key in found

    def overridden(self, key: str) -> bool:
        """Return True if an override sets the key, a part of it, or a section that contains it."""
        return any(f"{key}.".startswith(f"{path}.") or f"{path}.".startswith(f"{key}.") for path in self.overrides)


def fitting_sampler(model: str) -> str:
    """Return the name of the sampler for a model, without importing it."""
    return "sequences" if is_sequence_model(model) else "pairs"


def paths(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the dotted paths of ``section.key=value`` overrides."""
    return tuple(assignment.partition("=")[0].strip() for assignment in overrides)


def without_sampler(raw: dict[str, Any], name: str) -> tuple[dict[str, Any], list[str]]:
    """Return raw sections without the name of a sampler other than ``name``, and the dropped keys."""
    section = raw.get("sampler")
    given = section.get("name") if isinstance(section, Mapping) else section
    if not isinstance(given, str) or given == name:
        return raw, []
    rest = {key: value for key, value in section.items() if key != "name"} if isinstance(section, Mapping) else {}
    return raw | {"sampler": {"name": name, **rest}}, [f"sampler.name ({shown(given)})"]


def without_replaced(
    raw: dict[str, Any], before: Mapping[str, Any], given: tuple[str, ...], schema: Mapping[str, Section]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return raw sections without options of components that overrides have replaced, the dropped keys, and notes.

    Args:
        before: the sections without overrides.
        given: dotted paths of the overrides.
    """
    result, dropped, notes = dict(raw), [], []
    for name, spec in schema.items():
        old, new = before.get(name), raw.get(name)
        if spec.choices is None or spec.many or not isinstance(old, Mapping) or not new:
            continue
        kept = {"name": new} if isinstance(new, str) else new
        if not isinstance(kept, Mapping) or kept.get("name") == old.get("name"):
            continue
        if name not in given and isinstance(new, Mapping):
            kept = _kept(name, spec, old, new, given)
            result[name] = kept
        lost = [f"{name}.{key} ({shown(old[key])})" for key in old if key != "name" and key not in kept]
        if name not in given:
            dropped += lost
        elif lost:
            chosen = kept.get("name")
            notes.append(
                f"the override {name}={chosen} replaces the section and drops {', '.join(lost)}; {name}.name={chosen} keeps "
                f"the options that both components have"
            )
    return result, dropped, notes


def _kept(
    name: str, spec: Section, old: Mapping[str, Any], new: Mapping[str, Any], given: tuple[str, ...]
) -> dict[str, Any]:
    """Keys of a section that its new component has, or that are misspelt or overridden, and so reported."""
    before, now = _known(spec, old.get("name")), _known(spec, new.get("name"))
    if before is None or now is None:
        return dict(new)  # an unknown component is reported
    lost = {key for key in old if _among(key, before) and not _among(key, now) and f"{name}.{key}" not in given}
    return {key: value for key, value in new.items() if key not in lost}


def _known(spec: Section, name: Any) -> set[str] | None:
    """Keys of a section with the component ``name``; None for an unknown component."""
    assert spec.choices is not None
    name = spec.usual_name if name is None else name
    found = spec.choices.get(name) if isinstance(name, str) else None
    return None if found is None else {key for part in (found, *spec.functions) for key in options(part)}


def _among(key: str, known: set[str]) -> bool:
    return key in known or ALIASES.get(key) in known

"""Methods of a study: names of components, overrides and configs, each as an arm beside the config as it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from recpair import raw_config
from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.experiment.loading import load_config
from recpair.experiment.schema import LOSS_SIGNATURES, SCHEMA
from recpair.experiment.titles import components
from recpair.registry import nearest
from recpair.signatures import signature, summary
from recpair.tuning.plan import Plan, load_plan
from recpair.tuning.spaces import method_space, shared_space

BASELINE = "none"
SECTIONS = ("denoise", "hard_negatives", "loss", "terms", "model")  # where a bare name is looked up
CONFIGS = (".yaml", ".yml", ".toml")
OPEN, CLOSE = "[{(", "]})"


def settings(
    *,
    methods: list[str] | dict[str, list[str]] | None = None,
    noise: list[Annotated[float, Field(ge=0, le=10)]] = [0.0],  # noqa: B006
    trials: Annotated[int, Field(gt=0, le=10_000)] | None = None,
    budget: str | None = None,
    n_seeds: Annotated[int, Field(gt=0, le=100)] = 3,
    spaces: dict[str, dict[str, Any]] | None = None,
) -> None:
    """Settings of ``recpair study``; ``fit`` and ``tune`` ignore them.

    ``methods`` lists names, ``section=name`` overrides and configs, or maps labels to overrides. ``noise`` lists the
    shares of random events to add to the training part. Each method receives ``trials`` trials (12 unless a ``budget``,
    such as 60m, decides) and ``n_seeds`` seeds. ``spaces`` maps labels to search spaces, in place of those of the
    components; the space of ``none`` is part of that of every method.
    """


@dataclass(frozen=True)
class Method:
    """One method of a study.

    Attributes:
        label: name in the report.
        overrides: changes of the config.
        config: path of a config in place of that of the study; None otherwise.
    """

    label: str
    overrides: tuple[str, ...] = ()
    config: str | None = None

    @property
    def folder(self) -> str:
        """Name of the method's folder."""
        return re.sub(r"[^\w.=+-]+", "-", self.label).strip("-.") or "method"


def parse_methods(given: Sequence[str] | Mapping[str, Sequence[str]], config: Config) -> list[Method]:
    """Return the methods of a study, the baseline first.

    Raises:
        ConfigError: a name is unknown or ambiguous, two methods have the same label, or there is only one.
    """
    if isinstance(given, Mapping):
        found = [Method(str(label), tuple(map(str, changes))) for label, changes in given.items()]
    else:
        found = [_method(text.strip(), config) for text in given if text.strip()]
    baseline = [method for method in found if not method.overrides and method.config is None]
    first = baseline[0] if baseline else Method(BASELINE)
    methods = [first, *(method for method in found if method is not first)]
    for key in ("label", "folder"):
        names = [getattr(method, key) for method in methods]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigError(f"methods has {shown(twice[0])} twice; give each method once, or another label")
    if len(methods) < 2:
        raise ConfigError("methods has only the baseline; name a method to compare, such as pld or denoise=pld")
    return methods


def description(method: Method, config: Config) -> str:
    """Return a sentence on a method: its components and their docstrings, and its overrides."""
    if method.config is not None:
        return f"the config {method.config} ({' · '.join(components(config))})"
    if not method.overrides:
        return f"the baseline, the config as it is ({' · '.join(components(config))})"
    known = [change.partition("=")[::2] for change in method.overrides]
    found = [
        summary(choices[name]).rstrip(".")
        for section, name in known
        if (choices := SCHEMA[section].choices if section in SCHEMA else None) is not None and name in choices
    ]
    changes = " ".join(method.overrides)
    return f"{'; '.join(found)} ({changes})" if found else changes


def split_methods(text: str) -> list[str]:
    """Split methods at commas that are not inside brackets or quotes."""
    return _split(text, ",")


def plans_of(
    methods: Sequence[Method],
    source: Any,
    overrides: Sequence[str],
    spaces: Mapping[str, Mapping[str, Any]],
    trials: int,
    n_seeds: int,
) -> dict[str, Plan]:
    """Return the search plan of each method, by label, with the same metric and number of trials.

    Raises:
        ConfigError: a method contradicts the config, or its space is invalid.
    """
    if unknown := [label for label in spaces if label not in {method.label for method in methods}]:
        raise ConfigError(f"study.spaces names {shown(unknown[0])}, which is not a method")
    plans: dict[str, Plan] = {}
    for method in methods:
        changes = [*overrides, *method.overrides]
        place = method.config if method.config is not None else source
        try:
            config = load_config(place, changes)
            given = spaces.get(methods[0].label)
            space = dict(shared_space(config) if given is None else given)
            space |= spaces.get(method.label, method_space(config))
            own = {"trials": trials, "n_seeds": n_seeds, "sampler": "tpe", "pruner": "median"}
            plan = load_plan(config, (), own | {"space": space}) if space else Plan(config, {}, 1, n_seeds=n_seeds)
        except ConfigError as error:
            raise ConfigError(f"method {method.label}: {error}") from None
        first = next(iter(plans.values()), plan)
        if plan.metric != first.metric:
            raise ConfigError(
                f"method {method.label} is validated by {plan.metric}, {methods[0].label} by {first.metric}; expected the "
                f"same evaluate.monitor"
            )
        plans[method.label] = replace(plan, notes=())
    return plans


def _method(text: str, config: Config) -> Method:
    """Return the method that a text names."""
    if text == BASELINE:
        return Method(BASELINE)
    if text.lower().endswith(CONFIGS) and "=" not in text:
        return Method(Path(text).stem, config=text)
    label, colon, changes = _labelled(text)
    if colon:
        return Method(label, tuple(_split(changes, " ")))
    if "=" in text:
        return Method(text, tuple(_split(text, " ")))
    homes = [section for section in SECTIONS if text in (SCHEMA[section].choices or {})]
    if len(homes) > 1:
        forms = " or ".join(f"{section}={text}" for section in homes)
        raise ConfigError(f"method {text} is the name of several components; write {forms}")
    if not homes:
        known = [name for section in SECTIONS for name in SCHEMA[section].choices or {}]
        raise ConfigError(
            f"method {shown(text)} is not the name of a denoiser, miner, loss, term or model{nearest(text, known)}; "
            f"overrides are written as section.key=value or 'label: section.key=value', configs as a path"
        )
    return Method(text, _overrides(homes[0], text, config))


def _overrides(section: str, name: str, config: Config) -> tuple[str, ...]:
    """Return the overrides that add a component to a config; a term is added to the others."""
    if section == "terms":
        rest = [entry for entry in config["terms"] if entry["name"] != name]
        return (raw_config.assignment("terms", [*rest, {"name": name}]),)
    whole = section == "loss" and "log_partition" in signature(LOSS_SIGNATURES[name]).parameters
    return (f"{section}={name}", "sampler.negatives=all") if whole else (f"{section}={name}",)


def _labelled(text: str) -> tuple[str, str, str]:
    """Split ``label: overrides``; the label ends before the first colon that an equals sign does not precede."""
    label, colon, rest = text.partition(":")
    return (label.strip(), colon, rest.strip()) if colon and "=" not in label and "=" in rest else (text, "", "")


def _split(text: str, separator: str) -> list[str]:
    """Split text at separators that are not inside brackets or quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth -= 1
        elif character == separator and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip() for part in parts if part.strip()]

"""Names and options of metrics, checked without importing their dependencies."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from recpair.config import checked_component
from recpair.errors import ConfigError, shown
from recpair.evaluation.legend import LEGEND, is_cut
from recpair.registry import lookup, nearest, options
from recpair.signatures import Component, registry, signature

HOME = "recpair.evaluation.metrics"
METRICS: dict[str, Component] = dict(registry(f"{HOME}:METRICS"))
Entry = str | Mapping[str, Any]  # ndcg, or {name: debiased_recall, exponent: 1}


def known_metrics() -> dict[str, Component]:
    """Registry of metrics by name, including metrics added at runtime if it has been imported."""
    home = sys.modules.get(HOME)
    return METRICS | {name: f for name, f in getattr(home, "METRICS", {}).items() if name not in METRICS}


def check_metrics(metrics: Sequence[Entry], gain: str = "binary", monitor: str | None = None) -> list[Entry]:
    """Check the entries of ``evaluate.metrics``; metrics with options become mappings with all defaults filled in.

    Raises:
        ConfigError: an unknown name or option, a name with a cut-off, one metric twice with different options, or
            ``gain`` other than binary with no metric (nor monitor) that uses gains.
    """
    entries: dict[str, Entry] = {}
    for place, given in enumerate(metrics):
        entry = _checked(place, given)
        name = name_of(entry)
        if entries.setdefault(name, entry) != entry:
            raise ConfigError(
                f"evaluate.metrics names {name} twice, with the options {_options(entries[name])} and {_options(entry)}; "
                f"keep one of them"
            )
    used = {*entries, *([] if monitor is None else [monitor.partition("@")[0]])}
    known = known_metrics()
    if gain != "binary" and not any(name in known and "gains" in needs(known[name]) for name in used):
        raise ConfigError(
            f"evaluate.gain is {gain}, but no metric of evaluate.metrics ({', '.join(entries)}) uses gains; add ndcg, or "
            f"drop evaluate.gain"
        )
    return list(entries.values())


def only_metric(section: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """Return the section ``evaluate`` with one metric, ``ndcg@10``; its options are those of the section, if it is there.

    Raises:
        ConfigError: ``metric`` is not a metric with a cut-off.
    """
    name, cutoff = parse_metric(metric, "metric")
    entry = next((entry for entry in section["metrics"] if name_of(entry) == name), name)
    return {**section, "metrics": [entry], "cutoffs": [cutoff]}


def _checked(place: int, given: Entry) -> Entry:
    name = given.get("name") if isinstance(given, Mapping) else given
    if isinstance(name, str) and "@" in name:
        raise ConfigError(
            f"evaluate.metrics contains {shown(name)}; give the metric without a cut-off, and cut-offs in evaluate.cutoffs"
        )
    known = known_metrics()
    if isinstance(name, str):
        lookup_metric(name, "evaluate.metrics")
    entry = checked_component(f"evaluate.metrics.{place}", known, given)
    return entry if len(entry) > 1 else entry["name"]


def _options(entry: Entry) -> str:
    return (
        "" if isinstance(entry, str) else ", ".join(f"{key}={value}" for key, value in entry.items() if key != "name")
    )


def name_of(entry: Entry) -> str:
    """Return the metric name of an entry of ``evaluate.metrics``."""
    return entry if isinstance(entry, str) else entry["name"]


def with_metric(entries: Sequence[Entry], name: str) -> list[Entry]:
    """Return the entries, plus the metric with its default options unless it is among them."""
    return [*entries] if name in map(name_of, entries) else [*entries, name]


def lookup_metric(name: str, key: str) -> Component:
    """Return the metric ``name``; the ConfigError for unknown names lists the key, the nearest and all known names."""
    known = known_metrics()
    if name not in known:
        raise ConfigError(f"{key}: unknown metric {shown(name)}{nearest(name, known)} (known: {', '.join(known)})")
    return lookup(known, name, key)


def needs(metric: Component) -> tuple[str, ...]:
    """Return the legend names before ``*`` in the signature of a metric.

    Raises:
        ConfigError: a name is not in the legend.
    """
    parameters = signature(metric).parameters.values()
    names = tuple(each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD)
    for name in names:
        if name not in LEGEND:
            raise ConfigError(
                f"a metric asks for {shown(name)} before *, which is not supplied{nearest(name, LEGEND)} "
                f"(supplied: {', '.join(LEGEND)})"
            )
    return names


def has_cutoff(metric: Component) -> bool:
    """Return True if a metric is computed for each cut-off, with values named ``name@K``."""
    return any(map(is_cut, needs(metric)))


def metric_options(metrics: Sequence[Entry]) -> dict[str, Any]:
    """Return ``name.option`` → value for all metrics with options, with defaults where the entries give none."""
    given = {entry["name"]: entry for entry in metrics if isinstance(entry, Mapping)}
    return {
        f"{name}.{key}": given.get(name, {}).get(key, default)
        for name, metric in known_metrics().items()
        for key, (_, default) in options(metric).items()
    }


def parse_metric(name: str, key: str = "evaluate.monitor") -> tuple[str, int]:
    """Split a metric name: ``ndcg@10`` → ("ndcg", 10).

    Raises:
        ConfigError: the metric is unknown or has no cut-off, or the cut-off is not a positive number.
    """
    base, at, cutoff = name.partition("@")
    if not has_cutoff(lookup_metric(base, key)):
        raise ConfigError(f"{key}: {base} has no cut-off and cannot select the epoch; use it in evaluate.metrics only")
    # ndcg@010 would be read as 10, which does not match the name.
    if not at or not cutoff.isdecimal() or len(cutoff) > 9 or int(cutoff) < 1 or cutoff != str(int(cutoff)):
        raise ConfigError(f"{key} is {shown(name)}; expected a metric and a cut-off, as in ndcg@10")
    return base, int(cutoff)

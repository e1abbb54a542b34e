"""Loading of configs: sources, overrides, inference, and checks key by key and as a whole.

Keys are checked against signatures read from source, so that errors are reported before torch and numba are loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recpair import aliases, plugins, raw_config
from recpair import config as configs
from recpair.config import Config
from recpair.errors import ConfigError
from recpair.evaluation.names import check_metrics, parse_metric
from recpair.experiment.overriding import Given, fitting_sampler, paths, without_replaced, without_sampler
from recpair.experiment.schema import LOSS_SIGNATURES, SCHEMA, SEARCH
from recpair.registry import lookup
from recpair.shipped import locate
from recpair.signatures import signature


def load_config(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """Load and check a config from a file, the name of a config that ships with recpair, a dict, or a Config.

    Modules of components that the config names by dotted paths are imported.

    Raises:
        ConfigError: a key is unknown or invalid, or sections contradict each other.
    """
    return _loaded(config, overrides)


def load_stored(config: Mapping[str, Any], overrides: Sequence[str] = (), *, tolerant: bool = False) -> Config:
    """Load and check the config of a run folder, which may be untrusted; its dotted paths are not imported.

    Keys that the model does not use, which earlier versions have ignored, are dropped.

    Args:
        tolerant: whether components other than the model may be unknown; their options are not checked.

    Raises:
        ConfigError: as ``load_config``, or a component is unknown.
    """
    current = aliases.current_sections(raw_config.plain(config, "the config"))[0]
    plugins.resolve(current, [])
    missing = []
    for section, key, name in plugins.unknown(current):
        choices = SCHEMA[section].choices if section in SCHEMA else None
        if choices is not None and name in choices:
            continue
        if not tolerant or section == "model":
            lookup(choices or {}, name, key)
        missing.append(name)
    if missing:
        note = f"{', '.join(missing)}: not loaded, as nothing has named the module; to evaluate the run, name it (--plugins)"
        return replace(configs.parse(_inferred(current), SCHEMA, unchecked=missing), notes=(note,))
    return _loaded(current, overrides, stored=True)


def _loaded(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str], *, stored: bool = False
) -> Config:
    """Check a config; keys that its model does not use are dropped or refused, depending on their source."""
    checked, given, lost = _checked_keys(config, overrides)

    from recpair.experiment.requirements import inferred, require, unused  # imports torch and numba: seconds
    from recpair.experiment.unused import droppable, note, refuse, unused_keys

    found = unused_keys(inferred(checked, given), _defaults, given)
    dropped = droppable(found, given, stored=stored)
    if dropped:
        checked, given, lost = _checked_keys(config, [*overrides, *(each.override for each in dropped)])
    name = checked["model"]["name"]
    refuse(name, [each for each in found if each not in dropped])
    require(inferred(checked, given))
    lost += [str(each) for each in dropped if not stored]
    notes = [*checked.notes, *([note(name, lost, given)] if lost else []), *unused(checked)]
    return replace(checked, notes=tuple(dict.fromkeys(notes)))


def check_keys(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """Check keys and values of a config one by one, without importing torch or numba.

    Raises:
        ConfigError: a key is unknown or invalid.
    """
    return _checked_keys(config, overrides)[0]


def search_section(
    name: str,
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the checked section ``tune`` or ``study`` of a config, defaults included.

    Args:
        given: values in place of those of the section, checked as they are; None values are ignored.

    Raises:
        ConfigError: a key is unknown or invalid.
    """
    current, _, _ = _current(config)
    section = raw_config.override(current, overrides).get(name) or {}
    named = {key: raw_config.plain(value, key) for key, value in given.items() if value is not None}
    checked, replaced = (configs.parse({name: each}, SEARCH)[name] for each in (section, named))
    return {**checked, **{key: replaced[key] for key in named}}


def _current(
    config: str | Path | Mapping[str, Any] | Config,
) -> tuple[dict[str, Any], tuple[str, ...], Sequence[str]]:
    """Return the plain sections of a config under their current names, and notes on its source and on renamed keys."""
    notes: tuple[str, ...] = ()
    if isinstance(config, Config):
        notes, config = config.notes, config.sections
    if not isinstance(config, str | Path | Mapping):
        raise ConfigError(f"the config is of type {type(config).__name__}; give a path, a dict of sections or a Config")
    if isinstance(config, str | Path):
        path, notes = locate(config)
        config = raw_config.read(path)
    current, renamed = aliases.current_sections(raw_config.plain(plugins.with_names(config), "the config"))
    return current, notes, renamed


def _checked_keys(
    config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str]
) -> tuple[Config, Given, list[str]]:
    """Return the config, the origin of its values, and the keys that are dropped because overrides replace components."""
    current, notes, renamed = _current(config)
    if isinstance(overrides, Sequence) and not isinstance(overrides, str):
        overrides = [aliases.current_path(each) if isinstance(each, str) else each for each in overrides]
    raw, moved = aliases.l2_as_term(raw_config.override(current, overrides))
    configs.parse({name: raw[name] for name in SEARCH if name in raw}, SEARCH)
    raw = {name: section for name, section in raw.items() if name not in SEARCH}
    plugins.resolve(raw)
    given = Given(raw, paths(overrides), l2=bool(moved))
    raw, replaced, lost = _without_replaced(raw, current, given)
    checked = configs.parse(_inferred(raw), SCHEMA)
    checked = replace(checked, notes=(*notes, *renamed, *moved, *lost, *checked.notes))
    checked.sections["output"] = str(Path(checked["output"]).expanduser())
    if checked["output_keep"] < 0:
        raise ConfigError(
            f"output_keep must be at least 0 (how many earlier runs to keep), got {checked['output_keep']}"
        )
    measured = checked["evaluate"]
    measured["metrics"] = check_metrics(measured["metrics"], measured["gain"], measured["monitor"])
    _refuse_monitor(measured["monitor"], measured["trim"])
    return checked, given, replaced


def _without_replaced(
    raw: dict[str, Any], before: Mapping[str, Any], given: Given
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return raw sections without the keys that have no meaning for the components that overrides have chosen."""
    sampler: list[str] = []
    if given.model_replaced and not given.overridden("sampler.name"):
        raw, sampler = without_sampler(raw, fitting_sampler(_name(raw.get("model"), "mf")))
    raw, replaced, notes = without_replaced(raw, before, given.overrides, SCHEMA)
    return raw, [*sampler, *replaced], notes


def _defaults(config: Config) -> Config:
    """Return the config with the model and the loss of another, and defaults for everything else."""
    named = {section: {"name": config[section]["name"]} for section in ("model", "loss")}
    return configs.parse(_inferred(named), SCHEMA)


def _inferred(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill in missing values for which there is only one valid choice."""
    model = _name(raw.get("model"), "mf")
    sampler = raw.get("sampler") or {}
    if isinstance(sampler, Mapping) and "name" not in sampler:
        raw = {**raw, "sampler": {"name": fitting_sampler(model), **sampler}}
    loss = _name(raw.get("loss"), "bpr")
    reference = LOSS_SIGNATURES.get(loss)
    if reference is not None and "log_partition" in signature(reference).parameters:
        sampler = raw.get("sampler") or {}
        sampler = {"name": sampler} if isinstance(sampler, str) else sampler
        if isinstance(sampler, Mapping):
            raw = {**raw, "sampler": {"negatives": "all", **sampler}}
    return raw


def _name(section: Any, default: str) -> str:
    name = section.get("name", default) if isinstance(section, Mapping) else section
    return name if isinstance(name, str) else default


def differences(stored: Config, config: Config) -> list[str]:
    """Return dotted keys whose values differ; both configs are checked, so keys missing in the stored one have defaults."""
    before, now = stored.flat(), config.flat()
    return [key for key in {**before, **now} if before.get(key, ...) != now.get(key, ...)]


def _refuse_monitor(monitor: str | None, trim: float) -> None:
    """Raise a ConfigError for a monitor without a cut-off, or for ``trim`` without a monitor."""
    if monitor is None:
        if trim > 0:
            raise ConfigError(
                f"evaluate.trim is {trim:g}, but evaluate.monitor is null: there is no validation; drop one"
            )
        return
    parse_metric(monitor if "@" in monitor else f"{monitor}@1")
    if "@" not in monitor:
        raise ConfigError(f"evaluate.monitor is {monitor!r}; add a cut-off, as in ndcg@10")

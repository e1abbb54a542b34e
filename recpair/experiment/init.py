"""First config of a file of events: columns, split and model are chosen by rules, and written with the reasons."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recpair import files, raw_config
from recpair.boundary import boundary
from recpair.data.columns import look_at, places_of
from recpair.data.content import unpacked
from recpair.data.events import Events, locate, read_data, require_something_to_rank
from recpair.data.filtering import filter_events
from recpair.data.guessing import GIVEN, guess_columns
from recpair.data.table import named_columns
from recpair.errors import ConfigError
from recpair.experiment.loading import check_keys, load_config
from recpair.experiment.proposal import (
    Proposal,
    propose_cutoffs,
    propose_data,
    propose_model,
    propose_split,
    propose_texts,
)

logger = logging.getLogger("recpair")

WIDTH = 44  # column of the comments


@dataclass(frozen=True)
class Initialised:
    """A written config.

    Attributes:
        path: the file.
        choices: (key, value, reason) of everything that was guessed or chosen.
    """

    path: Path
    choices: list[tuple[str, str, str]]


@boundary
def init(
    data: str | Path,
    items: str | Path | None = None,
    *,
    out: str | Path = "recpair.yaml",
    overrides: Sequence[str] = (),
    force: bool = False,
) -> Initialised:
    """Look at a file of events and write a config that fits it, with the reason of each choice as a comment.

    Columns are guessed from their names, then from their values. Split, model and item texts follow the rules of
    ``proposal``.

    Args:
        data: the events, in any format of ``data.path``.
        items: the item table.
        out: the file to write.
        overrides: ``section.key=value`` strings, which replace a guess: ``data.columns.user=uid``.
        force: replace an existing file.

    Raises:
        ConfigError: ``out`` exists, or is not a YAML file.
        DataError: the data cannot be read, or the columns of users and items cannot be guessed.
    """
    path = Path(out).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{path} is to be written as YAML; give a name such as recpair.yaml")
    if path.exists() and (path.is_dir() or not force):
        raise ConfigError(
            f"{path} exists; choose another file with --out" + ("" if path.is_dir() else ", or add --force")
        )
    given = raw_config.override({}, overrides)
    checked = check_keys({**given, "data": {**_section(given), "path": str(data)}})["data"]
    proposal = Proposal()
    _propose(proposal, str(data), None if items is None else str(items), checked, given)
    raw = raw_config.override(proposal.sections, overrides)
    load_config(raw)
    text = rendered(raw, proposal, f"recpair fit --config {path}")
    load_config(raw_config.parsed(text, str(path)))
    files.write_text(path, text)
    reasons = {
        key: reason
        for key, reason in proposal.reasons.items()
        if raw_config.value_at(raw, key) == raw_config.value_at(proposal.sections, key)
    }
    return Initialised(path, [(key, _shown(raw_config.value_at(raw, key)), reason) for key, reason in reasons.items()])


def _section(given: Mapping[str, Any]) -> dict[str, Any]:
    section = given.get("data") or {}
    if not isinstance(section, Mapping) or "source" in section or "path" in section:
        raise ConfigError(
            "give the events with --data, and overrides of the section data by key: data.columns.user=uid"
        )
    return dict(section)


def _propose(
    proposal: Proposal, data: str, items: str | None, checked: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Fill in all sections."""
    reading = {key: checked[key] for key in ("separator", "time_unit", "time_format") if checked[key] is not None}
    proposal.add("data", {"path": data, **({} if items is None else {"items": items}), **reading})
    columns = named_columns(checked["columns"])
    look = look_at(
        locate(Path(data).expanduser()).events,
        separator=checked["separator"],
        header=checked["header"],
        columns=columns,
    )
    guesses = guess_columns(look.columns, places_of(look, columns))
    propose_data(proposal, look, guesses, "error" if "on_missing" in _section(given) else None)
    section = {**checked, **proposal.sections["data"]}
    events = read_data(**section)
    _explain(proposal, events)
    rest = check_keys({name: given[name] for name in ("filter", "split") if name in given})
    filtered, _ = filter_events(events, **rest["filter"])
    require_something_to_rank(filtered)
    repeated = len(events) - len(filtered)
    proposal.add("filter", {"deduplicate": "first"})
    if repeated and "filter" not in given:
        reason = (
            f"{repeated:,} of {len(events):,} events repeat a user and an item; count would make the number a weight"
        )
        proposal.add("filter", {}, deduplicate=reason)
    name, options, reason, splits = propose_split(filtered, rest["split"] if "split" in given else None)
    proposal.add("split", {"name": name, **options}, name=reason)
    model, why = propose_model(name, splits)
    proposal.add("model", model, name=why)
    _with_texts(proposal, propose_texts(splits), model["name"])
    proposal.hint("model", "name: mf  would be trained with a loss; others are in docs/components.md")
    cutoffs = propose_cutoffs(splits)
    monitor = f"ndcg@{cutoffs[0]}"
    why = "the validation metric that compares models and chooses the epoch"
    proposal.add(
        "evaluate", {"metrics": ["recall", "ndcg", "mrr"], "cutoffs": cutoffs, "monitor": monitor}, monitor=why
    )
    proposal.add("tracking", {"experiment": "recpair"}, experiment="in MLflow; tracking: null switches it off")
    proposal.sections["output"] = f"runs/{unpacked(Path(data)).stem}"


def _explain(proposal: Proposal, events: Events) -> None:
    """Add what reading the events has found out, such as the style of dates."""
    for note in events.notes:
        if " is read as " in note and " line " not in note:
            key = "data.columns.time"
            proposal.reasons[key] = "; ".join([proposal.reasons.get(key, GIVEN), note.partition(" is read as ")[2]])
        elif "left out" not in note and " line 1 " not in note:
            logger.info(note)


def _with_texts(proposal: Proposal, texts: dict[str, Any] | None, model: str) -> None:
    """Add the section ``semantics`` if the model reads it, else as a hint."""
    if texts is None:
        return
    if model == "transitions":
        proposal.add("semantics", texts, template="text of an item; text_weight of the model is its weight")
    else:
        proposal.hint(
            "model",
            f"semantics: {raw_config.on_one_line(texts)}  is for recpair neighbours, and for models that read texts",
        )


def rendered(raw: Mapping[str, Any], proposal: Proposal, command: str) -> str:
    """Return the config as YAML with comments."""
    lines = [
        "# Written by recpair init. Check what is guessed, then train:",
        f"#   {command}",
        "# All keys: recpair config schema, and docs/configs.md.",
    ]
    for section, values in raw.items():
        lines.append("")
        if not isinstance(values, Mapping):
            lines.append(f"{section}: {raw_config.on_one_line(values)}")
            continue
        lines.append(f"{section}:")
        lines += _entries(values, section, proposal, raw)
        lines += [f"  # {hint}" for hint in proposal.hints.get(section, [])]
    return "\n".join(lines) + "\n"


def _entries(values: Mapping[str, Any], above: str, proposal: Proposal, raw: Mapping[str, Any]) -> list[str]:
    lines, indent = [], "  " * (above.count(".") + 1)
    for key, value in values.items():
        name = f"{above}.{key}"
        if isinstance(value, Mapping) and name == "data.columns":
            lines += [f"{indent}{key}:", *_entries(value, name, proposal, raw)]
            continue
        kept = value == raw_config.value_at(proposal.sections, name)
        reason = proposal.reasons.get(name, "") if kept else GIVEN
        entry = f"{indent}{key}: {raw_config.on_one_line(value)}"
        lines.append(f"{entry:<{WIDTH}}  # {' '.join(reason.split())}" if reason else entry)
    return lines


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

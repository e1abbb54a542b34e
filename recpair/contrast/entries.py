"""From the entries of a config's list of terms to terms, each with its weight and label."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from recpair.contrast.contract import Context, Term
from recpair.errors import ConfigError
from recpair.registry import options

Entries = Sequence[Mapping[str, Any]]
TAKEN = frozenset({"loss", "recommendation", "l2"})  # what an epoch logs anyway


def weighting(
    *,
    weight: Annotated[float, Field(ge=0)] = 0.1,
    label: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")] | None = None,
) -> tuple[float, str | None]:
    """How much a term counts in the loss, and under which label it is logged (its name, if none is given)."""
    return weight, label


def labels(entries: Entries) -> list[str]:
    """What each term is logged as."""
    return [entry["label"] or entry["name"] for entry in entries]


def refuse_impossible(
    entries: Entries, known: Mapping[str, type[Term]], model: str, reads_histories: bool, semantics: bool
) -> None:
    """Raise a ConfigError for the first term that this model or config cannot have, or whose label is taken."""
    seen = dict.fromkeys(TAKEN, "the log of every epoch")
    for number, (entry, label) in enumerate(zip(entries, labels(entries), strict=True)):
        where = f"contrast.{number}"
        if not reads_histories:
            raise ConfigError(
                f"{where}.name is {entry['name']}, which compares histories, but model {model} reads none; "
                f"choose a model such as sasrec, or drop contrast"
            )
        if known[entry["name"]].needs_semantics and not semantics:
            raise ConfigError(
                f"{where}.name is {entry['name']}, which needs semantic neighbours; "
                f"add semantics: {{name: wordllama}}, or choose a term such as cl4srec"
            )
        if label in seen:
            raise ConfigError(
                f"{where} would be logged as {label}, like {seen[label]}; give it another label, as in {where}.label="
                f"{entry['name']}_2"
            )
        seen[label] = where


def make_terms(entries: Entries, known: Mapping[str, type[Term]], context: Context) -> dict[str, tuple[float, Term]]:
    """Terms by label, each with its weight."""
    terms = {}
    for entry, label in zip(entries, labels(entries), strict=True):
        term = known[entry["name"]]
        terms[label] = (entry["weight"], term(context, **{name: entry[name] for name in options(term)}))
    return terms

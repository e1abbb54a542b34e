"""Options shared by all terms of a config, and the labels for logging."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from recpair.signatures import OUTSIDE

Entries = Sequence[Mapping[str, Any]]


def weighting(
    *,
    weight: Annotated[float, Field(ge=0)] = 0.1,
    label: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")] | None = None,
) -> tuple[float, str | None]:
    """Return the weight of a term in the loss and its label in the logs (by default its name,
    without the module of a dotted path)."""
    return weight, label


def labels(entries: Entries) -> list[str]:
    """Labels of the terms."""
    return [entry["label"] or _plain(entry["name"]) for entry in entries]


def _plain(name: str) -> str:
    return name.rpartition(OUTSIDE)[2].rpartition(".")[2]

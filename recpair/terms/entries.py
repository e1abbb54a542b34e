"""The options that every entry of a config's list of terms has, and the label that it is logged under."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

Entries = Sequence[Mapping[str, Any]]


def weighting(
    *,
    weight: Annotated[float, Field(ge=0)] = 0.1,
    label: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")] | None = None,
) -> tuple[float, str | None]:
    """Weight of a term in the loss, and the label that it is logged under (its name, if none is given)."""
    return weight, label


def labels(entries: Entries) -> list[str]:
    """The label of each term."""
    return [entry["label"] or entry["name"] for entry in entries]

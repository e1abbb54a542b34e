"""Integrations: models of other packages behind recpair's contracts, and files that other packages read.

They are a layer above the models, whose contracts they implement, and below serving and the composition root, which
look up models by name. Other packages are imported only when a config names one of their models, ``recbole/LightGCN``.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from recpair.integrations.recbole import properties
from recpair.signatures import Component, Reference, ancestors, registry

T = TypeVar("T")

BLEND = "blend"  # name of the model that recpair.blend makes of runs
OWN = "own"  # name of the loss that a model of another package provides


class Bridged(Mapping[str, T]):
    """Mapping of recpair's own models by name, and of another package's by ``<bridge>/<name>``.

    Iteration yields recpair's own models only. Another package's model is looked up by its bridge. Models ``made`` of
    finished runs are found by name, but not listed: no config is written for them.

    Raises:
        ConfigError: the bridge has no such model, or its package is not installed.
    """

    def __init__(self, own: Mapping[str, T], bridges: Mapping[str, Callable[[str], T]], made: Mapping[str, T]) -> None:
        self._own, self._bridges, self._made = own, bridges, made

    def __getitem__(self, name: str) -> T:
        if name in self._made:
            return self._made[name]
        bridge, slash, theirs = name.partition("/")
        return self._bridges[bridge](theirs) if slash else self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def is_sequence_model(model: str) -> bool:
    """Return True for the name of a ``SequenceModel``, without importing it."""
    bridge, slash, theirs = model.partition("/")
    if slash:
        return bridge == "recbole" and properties.kind(theirs) == "sequential"
    found = registry("recpair.models:MODELS").get(model)
    if isinstance(found, Reference):
        return "SequenceModel" in ancestors(found)
    return isinstance(found, type) and "SequenceModel" in {base.__name__ for base in found.__mro__}


MODEL_SIGNATURES: Bridged[Component] = Bridged(
    registry("recpair.models:MODELS"),
    {"recbole": properties.signature},
    {BLEND: Reference.of("recpair.models.blend:Blend")},
)

__all__ = ["BLEND", "MODEL_SIGNATURES", "OWN", "Bridged", "is_sequence_model"]

"""Bridges: models of other packages behind recpair's contracts, and files that other packages read.

They stand above the models, whose contracts they fulfil, and below serving and the composition root, which look
a model up by its name and so have to find these, too. Nothing of another package is imported before a config
names one of its models, ``recbole/LightGCN``.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from recpair.integrations.recbole import properties
from recpair.signatures import Component, Reference, ancestors, registry

T = TypeVar("T")

OWN = "own"  # the name of the loss that a bridged model brings


class Bridged(Mapping[str, T]):
    """recpair's own models by name, and ``<bridge>/<name>`` for another package's.

    Iterating gives the own ones only. Asking for another package's model asks its bridge.

    Raises:
        ConfigError: the bridge has no such model, or its package is not installed.
    """

    def __init__(self, own: Mapping[str, T], bridges: Mapping[str, Callable[[str], T]]) -> None:
        self._own, self._bridges = own, bridges

    def __getitem__(self, name: str) -> T:
        bridge, slash, theirs = name.partition("/")
        return self._bridges[bridge](theirs) if slash else self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def reads_histories(model: str) -> bool:
    """Return True for the name of a sequence model, without importing it."""
    bridge, slash, theirs = model.partition("/")
    if slash:
        return bridge == "recbole" and properties.kind(theirs) == "sequential"
    reference = registry("recpair.models:MODELS").get(model)
    return isinstance(reference, Reference) and "SequenceModel" in ancestors(reference)


MODEL_SIGNATURES: Bridged[Component] = Bridged(registry("recpair.models:MODELS"), {"recbole": properties.signature})

__all__ = ["MODEL_SIGNATURES", "OWN", "Bridged", "reads_histories"]

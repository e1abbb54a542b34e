"""Bridges: models of other packages behind recpair's contracts, and files that other packages read.

They stand above the models, whose contracts they fulfil, and below serving and the composition root, which look
a model up by its name and so have to find these, too. Nothing of another package is imported before a config
names one of its models, ``recbole/LightGCN``.
"""

from collections.abc import Callable, Iterator, Mapping

from recpair.bridges.recbole.component import component
from recpair.models import MODELS, Model


class Bridged(Mapping[str, type[Model]]):
    """recpair's own models by name, and ``<bridge>/<name>`` for another package's.

    Iterating gives the own ones only. Asking for another package's model imports it.

    Raises:
        ConfigError: the bridge has no such model, or its package is not installed.
    """

    def __init__(self, own: Mapping[str, type[Model]], bridges: Mapping[str, Callable[[str], type[Model]]]) -> None:
        self._own, self._bridges = own, bridges

    def __getitem__(self, name: str) -> type[Model]:
        bridge, slash, theirs = name.partition("/")
        return self._bridges[bridge](theirs) if slash else self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


ALL_MODELS = Bridged(MODELS, {"recbole": component})

__all__ = ["ALL_MODELS", "Bridged"]

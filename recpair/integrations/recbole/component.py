"""Model classes for RecBole's models by name, with signatures from RecBole's property files.

The only module that imports RecBole.
"""

import importlib
from functools import cache
from typing import Any

from recpair.errors import ConfigError
from recpair.integrations.recbole import properties
from recpair.integrations.recbole.borrowed import borrowed
from recpair.integrations.recbole.fitted import RecBoleFittedModel
from recpair.integrations.recbole.gradient import RecBoleModel
from recpair.integrations.recbole.sequence_traits import SEQUENCE_TRAITS, SequenceTraits
from recpair.integrations.recbole.sequential import RecBoleSequenceModel
from recpair.integrations.recbole.traits import TRAITS, Traits
from recpair.models import Model


@cache
def component(name: str) -> type[Model]:
    """Return the class for ``model.name: recbole/<name>``; RecBole is imported at the first call.

    Raises:
        ConfigError: RecBole is not installed, has no such general or sequential model, or the model is not supported.
    """
    kind = properties.kind(name)
    traits = SEQUENCE_TRAITS.get(name, SequenceTraits()) if kind == "sequential" else TRAITS.get(name, Traits())
    if traits.refused:
        raise ConfigError(f"model.name: recbole/{name} is not supported: {traits.refused}")
    with borrowed():
        source: Any = getattr(importlib.import_module(f"recbole.model.{kind}_recommender.{name.lower()}"), name)
    attributes = {
        "__doc__": f"RecBole's {name}. {(source.__doc__ or '').strip()}",
        "__signature__": properties.signature(name),
        "source": source,
        "traits": traits,
    }
    if isinstance(traits, SequenceTraits):
        return type(name, (RecBoleSequenceModel,), attributes | _batches())
    if traits.fitted or source.type.name == "TRADITIONAL":
        return type(name, (RecBoleFittedModel,), attributes)
    with borrowed():
        from recbole.model.abstract_recommender import AbstractRecommender
    full_sort = source.full_sort_predict is not AbstractRecommender.full_sort_predict
    return type(name, (RecBoleModel,), attributes | {"full_sort": full_sort})


def _batches() -> dict[str, Any]:
    """Return RecBole's classes of batches and batch transforms for sequential models."""
    with borrowed():
        from recbole.data.interaction import Interaction
        from recbole.data.transform import construct_transform
    return {"interaction": Interaction, "transformation": staticmethod(construct_transform)}

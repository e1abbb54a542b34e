"""From the name of a RecBole model to a recpair model whose signature is RecBole's property file.

The one place that imports RecBole.
"""

import importlib
from functools import cache
from typing import Any

from recpair.bridges.recbole import properties
from recpair.bridges.recbole.borrowed import borrowed
from recpair.bridges.recbole.fitted import RecBoleFittedModel
from recpair.bridges.recbole.gradient import RecBoleModel
from recpair.bridges.recbole.traits import TRAITS, Traits
from recpair.errors import ConfigError
from recpair.models import Model


@cache
def component(name: str) -> type[Model]:
    """The class behind ``model.name: recbole/<name>``; RecBole is imported at the first call.

    Raises:
        ConfigError: RecBole is not installed, has no such general model, or the bridge does not carry it.
    """
    properties.require_general(name)
    traits = TRAITS.get(name, Traits())
    if traits.refused:
        raise ConfigError(f"model.name: recbole/{name} is not carried: {traits.refused}")
    with borrowed():
        from recbole.model.abstract_recommender import AbstractRecommender

        source: Any = getattr(importlib.import_module(f"recbole.model.general_recommender.{name.lower()}"), name)
    fitted = traits.fitted or source.type.name == "TRADITIONAL"
    attributes = {
        "__doc__": f"RecBole's {name}. {(source.__doc__ or '').strip()}",
        "__signature__": properties.signature(name),
        "source": source,
        "traits": traits,
    }
    if not fitted:
        attributes["full_sort"] = source.full_sort_predict is not AbstractRecommender.full_sort_predict
    return type(name, (RecBoleFittedModel if fitted else RecBoleModel,), attributes)

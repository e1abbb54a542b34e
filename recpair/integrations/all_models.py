"""Classes of all models by name: recpair's own, and those of other packages, imported on first use."""

from typing import Any

from recpair.config import Section, parse
from recpair.data.interactions import Interactions
from recpair.integrations import BLEND, MODEL_SIGNATURES, Bridged
from recpair.integrations.recbole.component import component
from recpair.models import MODELS, Blend, Model

ALL_MODELS: Bridged[type[Model]] = Bridged(MODELS, {"recbole": component}, {BLEND: Blend})
SCHEMA = {"model": Section(choices=MODEL_SIGNATURES)}


def construct(section: Any, interactions: Interactions) -> Model:
    """Construct the model of a config section ``model``, and the members of a blend, before its weights are loaded.

    Raises:
        ConfigError: a model or an option is unknown or invalid.
    """
    options = dict(parse({"model": section}, SCHEMA)["model"])
    kind = ALL_MODELS[options.pop("name")]
    if issubclass(kind, Blend):
        return kind(interactions, [construct(member, interactions) for member in options["members"]], **options)
    return kind(interactions, **options)

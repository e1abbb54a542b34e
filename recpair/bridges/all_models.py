"""The classes of all models by name: recpair's own, and those of other packages, imported when they are asked for."""

from recpair.bridges import Bridged
from recpair.bridges.recbole.component import component
from recpair.models import MODELS, Model

ALL_MODELS: Bridged[type[Model]] = Bridged(MODELS, {"recbole": component})

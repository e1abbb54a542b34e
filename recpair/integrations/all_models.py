"""Classes of all models by name: recpair's own, and those of other packages, imported on first use."""

from recpair.integrations import Bridged
from recpair.integrations.recbole.component import component
from recpair.models import MODELS, Model

ALL_MODELS: Bridged[type[Model]] = Bridged(MODELS, {"recbole": component})

"""Models: a batch in, a Scorer out."""

from recpair.models.contract import FittedModel, GradientModel, Model
from recpair.models.mf import MF
from recpair.models.popularity import Popularity
from recpair.models.scorer import Scorer, Vectors

MODELS: dict[str, type[Model]] = {
    "mf": MF,
    "popularity": Popularity,
}

__all__ = ["MODELS", "FittedModel", "GradientModel", "Model", "Scorer", "Vectors"]

"""Models, which return a Scorer for a mini-batch."""

from recpair.models.blend import Blend
from recpair.models.bspm import BSPM
from recpair.models.contract import (
    ContentModel,
    FittedModel,
    GradientModel,
    HistoryModel,
    Model,
    OwnLossModel,
    SequenceModel,
    Touched,
)
from recpair.models.ease import EASE
from recpair.models.gf_cf import GFCF
from recpair.models.gru4rec import GRU4Rec
from recpair.models.ials import IALS
from recpair.models.item_knn import ItemKNN
from recpair.models.lightgcn import LightGCN
from recpair.models.markov import Markov
from recpair.models.mf import MF
from recpair.models.neumf import NeuMF
from recpair.models.popular_recent import PopularRecent
from recpair.models.popularity import Popularity
from recpair.models.rp3beta import RP3Beta
from recpair.models.sansa import SANSA
from recpair.models.sasrec import SASRec
from recpair.models.scorer import Scorer, TableScorer, Vectors
from recpair.models.slim import SLIM
from recpair.models.transitions import Transitions
from recpair.models.turbo_cf import TurboCF
from recpair.models.two_tower import TwoTower

MODELS: dict[str, type[Model]] = {
    "bspm": BSPM,
    "ease": EASE,
    "gf_cf": GFCF,
    "gru4rec": GRU4Rec,
    "ials": IALS,
    "item_knn": ItemKNN,
    "lightgcn": LightGCN,
    "markov": Markov,
    "mf": MF,
    "neumf": NeuMF,
    "popular_recent": PopularRecent,
    "popularity": Popularity,
    "rp3beta": RP3Beta,
    "sansa": SANSA,
    "sasrec": SASRec,
    "slim": SLIM,
    "transitions": Transitions,
    "turbo_cf": TurboCF,
    "two_tower": TwoTower,
}

__all__ = [
    "MODELS",
    "Blend",
    "ContentModel",
    "FittedModel",
    "GradientModel",
    "HistoryModel",
    "Model",
    "OwnLossModel",
    "Scorer",
    "SequenceModel",
    "TableScorer",
    "Touched",
    "Vectors",
]

"""Semantics: texts of items, their vectors and nearest neighbours."""

from recpair.semantics.describe import Describer
from recpair.semantics.encoders import ENCODERS
from recpair.semantics.retrieved import Retrieved
from recpair.semantics.stage import encode_items, retrieve

__all__ = ["ENCODERS", "Describer", "Retrieved", "encode_items", "retrieve"]

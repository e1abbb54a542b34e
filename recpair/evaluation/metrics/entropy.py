"""Entropy of exposure."""

import numpy as np
from jaxtyping import Int


def entropy(items: Int[np.ndarray, "B K"]) -> float:
    """−Σ_i p_i log₂ p_i in bits, where p_i is the share of item i among all entries of the lists.

    Between 0 (one item fills all lists, or the lists are empty) and log₂ of the size of the catalogue (all items are listed
    equally often). Source: Shannon entropy as an aggregate diversity, Adomavicius & Kwon, TKDE 2012.
    """
    exposure = np.bincount(items[items >= 0])
    exposure = exposure[exposure > 0]
    shares = exposure / max(exposure.sum(), 1)
    return float(abs((shares * np.log2(shares)).sum()))

"""Gini coefficient of exposure."""

import numpy as np
from jaxtyping import Int


def gini(items: Int[np.ndarray, "B K"], n_items: int) -> float:
    """Σ_i Σ_j |x_i − x_j| / (2 n Σ_i x_i), where x_i is the number of lists that hold item i and n the size of the catalogue.

    0 if all items are listed equally often, 1 − 1/n if one item fills all lists; 0 if the lists are empty. Computed from
    the sorted x as Σ_j (2j − n − 1) x_(j) / (n Σ x), j from 1. Source: Fleder & Hosanagar, Management Science 2009.
    """
    exposure = np.sort(np.bincount(items[items >= 0], minlength=n_items))
    total = int(exposure.sum())
    if total == 0:
        return 0.0
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((weights * exposure.astype(np.float64)).sum() / (n_items * total))

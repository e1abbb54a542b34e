"""Item correlations by co-occurrence in the training histories."""

import numpy as np
import scipy.sparse as sp

from recpair.data.histories import PADDING
from recpair.data.interactions import Interactions

BLOCK = 1024  # items whose co-occurrences are in memory at once


def correlated_items(train: Interactions, k: int) -> np.ndarray:
    """int32 (I, K): the k items with the highest similarity to each item, most similar first; padded with −1.

    similarity(i, j) = Σ_{u: i, j ∈ I_u} 1 / log(1 + |I_u|) / √(|U_i| · |U_j|): active users have a lower weight.
    Source: item-based collaborative filtering with inverse user frequency, as in CoSeRec (Liu et al., 2021).
    Ties are ordered by item index.
    """
    taken = sp.csr_array(train.to_scipy().astype(np.float64))
    taken.data[:] = 1
    per_user, per_item = np.diff(taken.indptr), np.bincount(taken.indices, minlength=train.n_items)
    by_item = sp.csr_array(taken.T)
    weighted = sp.csr_array(by_item @ sp.diags_array(1 / np.log1p(np.maximum(per_user, 1))))
    scale = 1 / np.sqrt(np.maximum(per_item, 1))
    found = np.full((train.n_items, k), PADDING, dtype=np.int32)
    for start in range(0, train.n_items, BLOCK):
        together = sp.csr_array(weighted[start : start + BLOCK] @ taken)
        for row in range(together.shape[0]):
            here = slice(together.indptr[row], together.indptr[row + 1])
            items, similarity = together.indices[here], together.data[here] * scale[together.indices[here]]
            others = items != start + row
            items, similarity = items[others], similarity[others]
            nearest = items[np.lexsort((items, -similarity))[:k]]
            found[start + row, : len(nearest)] = nearest
    return found

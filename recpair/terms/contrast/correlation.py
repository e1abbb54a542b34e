"""Which items are taken together, from training histories alone."""

import numpy as np
import scipy.sparse as sp

from recpair.data.histories import PADDING
from recpair.data.interactions import Interactions

BLOCK = 1024  # items whose co-occurrences are in memory at once


def correlated_items(train: Interactions, k: int) -> np.ndarray:
    """int32 (I, K): the k items most often taken by the same users, the nearest first; −1 where there are fewer.

    similarity(i, j) = Σ_{u took both} 1 / log(1 + |I_u|) / √(|U_i| · |U_j|): users who take much say less.
    Source: item-based collaborative filtering with inverse user frequency, as CoSeRec (Liu et al., 2021) has it.
    Equals are in the order of their indices.
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

"""Co-occurrence of items as a sparse matrix."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from recpair.errors import TrainingError

MOST = 2**29  # entries: 4 GiB


def gram(matrix: Any, model: str) -> Any:
    """Return XᵀX (I, I) of a scipy matrix X (U, I) in CSR, with sorted indices; 8 bytes for each entry.

    Raises:
        TrainingError: it may have more than 2²⁹ entries: Σ d², d the number of items of a user.
    """
    pairs = float(np.square(np.diff(matrix.indptr), dtype=np.float64).sum())
    if min(pairs, float(matrix.shape[1]) ** 2) > MOST:
        raise TrainingError(
            f"model {model}: there are up to {pairs:,.0f} pairs of items with a common user, but at most {MOST:,} can be stored "
            f"(4 GiB); remove rare items and long histories (section filter), or use model=gf_cf, which does not store pairs"
        )
    rows = sp.csr_array(matrix)
    product = sp.csr_array(rows.T) @ rows
    product.sort_indices()
    return product

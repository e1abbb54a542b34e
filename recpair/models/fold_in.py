"""Vectors of unknown users, computed from the items that they interacted with."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def ridge_fold_in(
    items: Float[Tensor, "I D"],
    histories: Sequence[np.ndarray],
    norm: Float[Tensor, ""],
    *,
    unobserved: float = 0.1,
    ridge: float = 1.0,
) -> Float[Tensor, "Q D"]:
    """Return least-squares user vectors for fixed item vectors, rescaled to length ``norm``.

    u = argmin Σ_{i ∈ H} (1 − ⟨u, i⟩)² + w·(|H| / I)·Σ_all ⟨u, i⟩² + λ·mean‖i‖²·‖u‖²: the implicit ALS step (Hu et al.,
    ICDM 2008), with the weight of unobserved items scaled to the history. Only the direction affects the ranking; the
    length is that of a typical trained user, so that scores are comparable.
    """
    n_items, dim = items.shape
    gram = items.T @ items
    trace = torch.diagonal(gram).mean()
    vectors = items.new_zeros((len(histories), dim))
    eye = torch.eye(dim, dtype=items.dtype, device=items.device)
    for row, history in enumerate(histories):
        if len(history) == 0:
            continue
        taken = items[torch.as_tensor(np.unique(history), dtype=torch.long, device=items.device)]
        left = taken.T @ taken + unobserved * len(taken) / n_items * gram + ridge * trace * len(taken) / n_items * eye
        vectors[row] = torch.linalg.solve(left, taken.sum(0))
    lengths = vectors.norm(dim=1, keepdim=True).clamp_min(torch.finfo(items.dtype).tiny)
    scaled: Tensor = vectors / lengths * norm
    return scaled

"""Initialisation of the user and item embeddings."""

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from scipy.sparse.linalg import svds
from torch import Tensor, nn

from recpair.data.interactions import Interactions
from recpair.models.blas import one_thread
from recpair.seeds import generator

Start = Literal["normal", "spectral"]
MOST = 2_000_000  # maximum number of events to decompose: seconds
JITTER = 0.01  # share of the normal initialisation added to the spectral one


@torch.no_grad()
def start_from_spectrum(users: nn.Embedding, items: nn.Embedding, interactions: Interactions, std: float) -> None:
    """Replace tables drawn from N(0, std²) by the leading singular vectors of the interactions, at the same scale.

    The tables become U·√Σ and V·√Σ of D_u^−½ R D_i^−½ (users × items, 1 for each interaction), scaled to a root mean
    square of ``std``. A hundredth of the drawn values is added: users and items without events, and dimensions beyond
    the rank, have nothing else. It takes seconds and saves many epochs. Source: the low-pass view of LightGCN (Shen et
    al., CIKM 2021), which ranks by these vectors alone.
    """
    for table, vectors in zip((users, items), singular_vectors(interactions, users.embedding_dim), strict=True):
        found = table.weight[:, : vectors.shape[1]]
        table.weight.mul_(JITTER)
        found += vectors * (std / vectors.square().mean().sqrt())


def singular_vectors(interactions: Interactions, dim: int) -> tuple[Float[Tensor, "U R"], Float[Tensor, "I R"]]:
    """Return U·√Σ and V·√Σ of the normalised interactions, R = min(dim, U − 1, I − 1), largest singular value first.

    With more than MOST events, only those of randomly drawn users are decomposed; two products with the whole matrix
    then give the vectors of all users and items (a step of subspace iteration with Rayleigh–Ritz).
    """
    taken: Any = interactions.to_scipy().astype(np.float32)
    scale = [1.0 / np.sqrt(np.maximum(np.asarray(taken.sum(axis)).ravel(), 1)) for axis in (1, 0)]
    normalised: Any = sp.csr_array(sp.diags_array(scale[0]) @ taken @ sp.diags_array(scale[1]))
    rows = _drawn_rows(np.diff(interactions.indptr))
    part = normalised if rows is None else normalised[rows]
    rank = min(dim, min(part.shape) - 1)
    if rank == 0:
        return torch.zeros(interactions.n_users, 0), torch.zeros(interactions.n_items, 0)
    first = torch.randn(min(part.shape), generator=generator()).numpy()
    with one_thread():
        left, values, right = svds(part, k=rank, v0=first)
        if rows is not None:
            left, values, right = _of_all_rows(normalised, right.T)
    order = np.argsort(-values)
    roots = np.sqrt(values[order])
    users, items = (torch.from_numpy((side[:, order] * roots).astype(np.float32)) for side in (left, right.T))
    return users, items


def _drawn_rows(sizes: np.ndarray) -> np.ndarray | None:
    """Draw at least two users with about MOST events in total; None for all users."""
    if sizes.sum() <= MOST:
        return None
    drawn = torch.randperm(len(sizes), generator=generator()).numpy()
    return np.sort(drawn[: max(2, int(np.searchsorted(np.cumsum(sizes[drawn]), MOST)))])


def _of_all_rows(matrix: Any, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return U (U, R), Σ (R,) and Vᵀ (R, I) within the span of ``matrix @ right``, from vectors ``right`` (I, R)."""
    left = matrix @ right
    squares, rotation = np.linalg.eigh(left.T.astype(np.float64) @ left)
    values = np.sqrt(np.maximum(squares, 1e-12 * squares.max()))
    left = (left @ rotation) / values
    return left, values, (matrix.T @ left / values).T

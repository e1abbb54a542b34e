"""LightGCN: embeddings smoothed over the user–item graph."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models import kernels
from recpair.models.contract import GradientModel, Touched
from recpair.models.fold_in import ridge_fold_in
from recpair.models.init import Start, start_from_spectrum
from recpair.models.layers import Embedding
from recpair.models.scorer import Similarity, Vectors
from recpair.seeds import generator

PARTS = 64  # parts of a product, with equal numbers of entries


class Graph:
    """The symmetrically normalised graph D^−½ A D^−½ of users (first) and items; isolated nodes keep degree 1."""

    def __init__(self, interactions: Interactions) -> None:
        taken: Any = interactions.to_scipy()
        graph = sp.csr_array(sp.bmat([[None, taken], [taken.T, None]]))
        scale = 1.0 / np.sqrt(np.maximum(np.diff(graph.indptr), 1))
        self.indptr, self.indices = graph.indptr.astype(np.int64), graph.indices.astype(np.int32)
        self.values = (np.repeat(scale, np.diff(graph.indptr)) * scale[graph.indices]).astype(np.float32)
        shares = np.linspace(0, len(self.values), PARTS + 1)
        self.bounds = np.searchsorted(self.indptr, shares).astype(np.int64)
        self.bounds[0], self.bounds[-1] = 0, len(self.indptr) - 1
        self._on_device: dict[torch.device, Tensor] = {}

    def times(self, dense: Float[Tensor, "V D"]) -> Float[Tensor, "V D"]:
        """Multiply by a dense matrix: with Numba on the CPU, as a CSR product on other devices."""
        if dense.device.type != "cpu":
            return self._csr(dense.device).to(dense.dtype) @ dense
        array = np.ascontiguousarray(dense.detach().numpy())
        out = np.empty_like(array)
        kernels.multiply(self.indptr, self.indices, self.values.astype(array.dtype), array, self.bounds, out)
        return torch.from_numpy(out)

    def _csr(self, device: torch.device) -> Tensor:
        if device not in self._on_device:
            nodes = len(self.indptr) - 1
            starts, columns, values = (torch.from_numpy(part) for part in (self.indptr, self.indices, self.values))
            matrix = torch.sparse_csr_tensor(starts, columns.long(), values, size=(nodes, nodes))
            self._on_device[device] = matrix.to(device)
        return self._on_device[device]


class Smoothed(torch.autograd.Function):
    """Mean of x, Gx, …, Gᴸx. G is symmetric, so the gradient is the same mean of the incoming gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: Graph, n_layers: int) -> Tensor:
        ctx.graph, ctx.n_layers = graph, n_layers
        return mean_of_powers(x, graph, n_layers)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return mean_of_powers(gradients[0], ctx.graph, ctx.n_layers), None, None


def mean_of_powers(x: Float[Tensor, "V D"], graph: Graph, n_layers: int) -> Float[Tensor, "V D"]:
    """(x + Gx + … + Gᴸx) / (L + 1) by Horner's rule: L products."""
    total = x
    for _ in range(n_layers):
        total = graph.times(total).add_(x)
    return total / (n_layers + 1)


class LightGCN(GradientModel):
    """score(u, i) = ⟨e_u, e_i⟩ (or their cosine), e the mean of the embeddings after 0 … L smoothing steps.

    Source: He et al., SIGIR 2020. Deviations: no dense adjacency (PLD's code has one); the whole smoothing is one
    autograd function; items and users without interactions keep their own embeddings; embeddings are initialised from
    singular vectors of the interactions unless ``init`` is normal.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        n_layers: Annotated[int, Field(ge=0, le=100)] = 3,
        init: Start = "spectral",
        init_std: Annotated[float, Field(gt=0)] = 0.1,
        similarity: Similarity = "dot",
    ) -> None:
        super().__init__()
        self.similarity: Similarity = similarity
        self.graph = Graph(interactions)
        self.n_layers = n_layers
        self.user_embedding = Embedding(interactions.n_users, embedding_dim)
        self.item_embedding = Embedding(interactions.n_items, embedding_dim)
        nn.init.normal_(self.user_embedding.weight, std=init_std, generator=generator())
        nn.init.normal_(self.item_embedding.weight, std=init_std, generator=generator())
        self.init, self.init_std = init, init_std
        self._ready: tuple[Tensor, Tensor] | None = None  # smoothed vectors, cached during evaluation

    def start(self, interactions: Interactions) -> None:
        """Initialise from the singular vectors of the interactions if ``init: spectral``."""
        if self.init == "spectral":
            start_from_spectrum(self.user_embedding, self.item_embedding, interactions, self.init_std)

    def train(self, mode: bool = True) -> "LightGCN":
        """Set the mode and discard the cached vectors."""
        self._ready = None
        return super().train(mode)

    def smoothed(self) -> tuple[Float[Tensor, "U D"], Float[Tensor, "I D"]]:
        """Return the smoothed vectors of all users and of all items."""
        if self._ready is not None:
            return self._ready
        users = self.user_embedding.weight
        nodes = Smoothed.apply(torch.cat([users, self.item_embedding.weight]), self.graph, self.n_layers)
        parts = nodes[: len(users)], nodes[len(users) :]
        if not self.training and not torch.is_grad_enabled():
            self._ready = parts
        return parts

    def score(self, batch: Batch) -> Vectors:
        users, items = self.smoothed()
        return Vectors.compared(torch.nn.functional.embedding(batch.user, users), items, self.similarity)

    def user_vectors(self) -> Float[Tensor, "U D"]:
        """Return the smoothed vectors of all users."""
        return self.smoothed()[0]

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        items = (batch.positives,) if batch.negatives is None else (batch.positives, batch.negatives)
        return (self.user_embedding.weight, batch.user), *((self.item_embedding.weight, rows) for rows in items)

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> Vectors:
        """Score unknown users by ridge solutions over the smoothed items, at the scale of the trained users."""
        users, items = self.smoothed()
        strangers = ridge_fold_in(items, histories, users.norm(dim=1).median())
        return Vectors.compared(strangers, items, self.similarity)

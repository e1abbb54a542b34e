"""Log-partition function of a softmax over the catalogue, computed in tiles of scores."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES, ITEMS = 256, 2048  # size of a tile of scores: 2 MiB in 32 bits, which fits in the cache
KEPT_BYTES = 512 * 2**20  # exponentials kept for the gradient; beyond this they are recomputed


def log_partition(
    queries: Float[Tensor, "Q D"], items: Float[Tensor, "I D"], kept_bytes: int = KEPT_BYTES
) -> Float[Tensor, "Q 1"]:
    """Return log Σᵢ exp⟨query, i⟩ over all items, in nats, with at most ``kept_bytes`` of scores in memory.

    The gradient needs all exponentials again. If they fit into ``kept_bytes`` they are stored; otherwise each tile is
    recomputed, at the cost of one product in addition to three. Autocast is disabled: a sum over a million items needs
    32 bits.
    """
    with torch.autocast(queries.device.type, enabled=False):
        dtype = torch.promote_types(queries.dtype, items.dtype)
        result: Tensor = LogPartition.apply(queries.to(dtype), items.to(dtype), kept_bytes)
    return result.unsqueeze(1)


class LogPartition(torch.autograd.Function):
    """Sums over tiles of E = exp(score − m), with m each query's largest score in the tile.

    With w = gradient · e^{m − result}, the gradient of the queries is Σ (w·E) · items and that of the items Eᵀ · (w ·
    queries): the weights are applied to the smaller factors, so that E itself is never scaled.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, kept_bytes: int) -> Tensor:
        needed = any(ctx.needs_input_grad[:2])
        keeps = needed and queries.element_size() * len(queries) * len(items) <= kept_bytes
        tiles, parts = [], []
        for rows in queries.split(QUERIES):
            sums = []
            for columns in items.split(ITEMS):
                tile, largest = _tile(rows, columns)
                sums.append(largest + tile.sum(1).log())
                if keeps:
                    tiles += [tile, largest]
            parts.append(torch.logsumexp(torch.stack(sums), dim=0))
        result = torch.cat(parts) if parts else queries.new_empty(0)
        ctx.save_for_backward(queries, items, result, *tiles)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        queries, items, result, *tiles = ctx.saved_tensors
        kept = iter(tiles)
        of_queries, of_items = torch.zeros_like(queries), torch.zeros_like(items)
        for rows, total, incoming, out in zip(
            *(t.split(QUERIES) for t in (queries, result, gradient, of_queries)), strict=True
        ):
            for columns, place in zip(items.split(ITEMS), of_items.split(ITEMS), strict=True):
                tile, largest = (next(kept), next(kept)) if tiles else _tile(rows, columns)
                weights = (incoming * (largest - total).exp()).unsqueeze(1)
                out.addcmul_(tile @ columns, weights)
                place.addmm_(tile.T, rows * weights)
        return of_queries, of_items, None


def _tile(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(score − largest) of some queries and items, and the largest score of each query."""
    tile = rows @ columns.T
    largest = tile.amax(1)
    return tile.sub_(largest.unsqueeze(1)).exp_(), largest

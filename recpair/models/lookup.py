"""Rows of a table of vectors, and products with them, at a cost of the batch and not of the table."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from recpair.models import kernels


def look_up(table: Tensor, rows: Tensor) -> Tensor:
    """``table[rows]``: vectors (…, D) of a table (n, D) at indices of any shape (…).

    On one processor a parameter gets a sparse gradient: a dense one is as large as the table, fresh memory for
    every lookup of a step. The loop adds the sparse ones into one dense buffer (``training.gradients``). Between
    processes gradients are averaged dense.
    """
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    sparse = alone and table.is_leaf and table.requires_grad and table.device.type == "cpu"
    vectors: Tensor = torch.nn.functional.embedding(rows, table, sparse=sparse)
    return vectors


def inner_products(
    queries: Float[Tensor, "Q D"], table: Float[Tensor, "I D"], items: Int[Tensor, "Q C"]
) -> Float[Tensor, "Q C"]:
    """⟨query, table[item]⟩ for C items of each query.

    On the processor a kernel reads the rows where they lie; elsewhere, and for a gradient of few rows, they are looked
    up side by side (Q, C, D).
    """
    needs_gradient = torch.is_grad_enabled() and (queries.requires_grad or table.requires_grad)
    many = not needs_gradient or 2 * items.numel() > len(table)
    plain = queries.dtype == table.dtype in (torch.float32, torch.float64)
    if many and plain and queries.device.type == table.device.type == "cpu":
        products: Tensor = InnerProducts.apply(queries, table, items)
        return products
    return (queries.unsqueeze(1) * look_up(table, items)).sum(-1)


class InnerProducts(torch.autograd.Function):
    """``inner_products`` by kernels; no (Q, C, D) forward or backward."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, table: Tensor, items: Tensor) -> Tensor:
        ctx.save_for_backward(queries, table, items)
        out = queries.new_empty(items.shape)
        kernels.inner_products(_array(queries), _array(table), _array(items), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        queries, table, items = ctx.saved_tensors
        weights, of_queries, of_table = _array(gradient), None, None
        if ctx.needs_input_grad[0]:
            of_queries = torch.zeros_like(queries, memory_format=torch.contiguous_format)
            kernels.add_rows(weights, _array(table), _array(items), of_queries.numpy())
        if ctx.needs_input_grad[1]:
            of_table = torch.zeros_like(table, memory_format=torch.contiguous_format)
            kernels.scatter_rows(weights, _array(queries), _array(items), of_table.numpy())
        return of_queries, of_table, None


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy())

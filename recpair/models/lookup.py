"""Lookups, inner products and norms of table rows, at a cost that depends on the batch and not on the table."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from recpair.models import kernels


def look_up(table: Tensor, rows: Tensor) -> Tensor:
    """Return ``table[rows]``: vectors (…, D) of a table (n, D) at indices of any shape (…).

    The gradient of a parameter is added to its ``grad`` row by row (``_accumulates``).
    """
    if not torch.is_grad_enabled() or not _accumulates(table):
        return torch.nn.functional.embedding(rows, table)
    vectors: Tensor = Rows.apply(table, rows)
    return vectors


def inner_products(
    queries: Float[Tensor, "Q D"], table: Float[Tensor, "I D"], items: Int[Tensor, "Q C"]
) -> Float[Tensor, "Q C"]:
    """Return ⟨query, table[item]⟩ for C items of each query.

    On the CPU, a kernel reads the rows in place. On other devices, and for few rows of a table that is not a parameter,
    they are gathered first (Q, C, D).
    """
    needs_gradient = torch.is_grad_enabled() and (queries.requires_grad or table.requires_grad)
    worth_it = not needs_gradient or _accumulates(table) or 2 * items.numel() > len(table)
    if worth_it and queries.dtype == table.dtype and _has_kernels(table):
        products: Tensor = InnerProducts.apply(queries, table, items)
        return products
    return (queries.unsqueeze(1) * look_up(table, items)).sum(-1)


def mean_squared_norm(table: Float[Tensor, "_ D"], rows: Tensor) -> Float[Tensor, ""]:
    """Return the mean of ‖table[row]‖² over rows of any shape; on the CPU, the rows are read in place."""
    if not _has_kernels(table):
        return torch.nn.functional.embedding(rows, table).square().sum(-1).mean()
    norm: Tensor = MeanSquaredNorm.apply(table, rows)
    return norm


def _has_kernels(table: Tensor) -> bool:
    return table.device.type == "cpu" and table.dtype in (torch.float32, torch.float64)


def _accumulates(table: Tensor) -> bool:
    """Return True if gradients of table rows are added directly to ``table.grad``, as ``backward`` would leave them.

    This holds for parameters on the CPU: otherwise every lookup of a step allocates a gradient as large as the table,
    and all of them are summed. It does not hold for distributed runs, which need whole gradients; do not call
    ``torch.autograd.grad`` for such a table.
    """
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    return alone and table.is_leaf and table.requires_grad and table.device.type == "cpu"


def _gradient(table: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return where to add row gradients and the result of ``backward``: a new tensor twice, or ``grad`` and None."""
    if not _accumulates(table):
        fresh = torch.zeros_like(table, memory_format=torch.contiguous_format)
        return fresh, fresh
    if table.grad is None:
        table.grad = torch.zeros_like(table)
    return table.grad, None


class Rows(torch.autograd.Function):
    """``look_up`` of a parameter."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(table, rows)
        return torch.nn.functional.embedding(rows, table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        table, rows = ctx.saved_tensors
        of_table, handed_on = _gradient(table)
        of_table.index_add_(0, rows.flatten(), gradient.reshape(-1, table.shape[1]))
        return handed_on, None


class InnerProducts(torch.autograd.Function):
    """``inner_products`` with kernels, without a (Q, C, D) tensor forward or backward."""

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
        weights, of_queries, handed_on = _array(gradient), None, None
        if ctx.needs_input_grad[0]:
            of_queries = torch.zeros_like(queries, memory_format=torch.contiguous_format)
            kernels.add_rows(weights, _array(table), _array(items), of_queries.numpy())
        if ctx.needs_input_grad[1]:
            of_table, handed_on = _gradient(table)
            kernels.scatter_rows(weights, _array(queries), _array(items), of_table.numpy())
        return of_queries, handed_on, None


class MeanSquaredNorm(torch.autograd.Function):
    """``mean_squared_norm`` with kernels; each occurrence of a row among the R rows adds 2/R · row to its gradient."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(table, rows)
        return table.new_tensor(kernels.sum_of_squares(_array(table), _array(rows.flatten())) / rows.numel())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        table, rows = ctx.saved_tensors
        of_table, handed_on = _gradient(table)
        scale = _array((2 * gradient / rows.numel()).reshape(1))
        kernels.add_scaled_rows(scale, _array(table), _array(rows.flatten()), of_table.numpy())
        return handed_on, None


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy())

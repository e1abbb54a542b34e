"""Rows of a table of vectors, products with them and their norms, at a cost of the batch and not of the table."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from recpair.models import kernels


def look_up(table: Tensor, rows: Tensor) -> Tensor:
    """``table[rows]``: vectors (…, D) of a table (n, D) at indices of any shape (…).

    The gradient of a parameter is added to its ``grad`` row by row (``_accumulates``).
    """
    if not torch.is_grad_enabled() or not _accumulates(table):
        return torch.nn.functional.embedding(rows, table)
    vectors: Tensor = Rows.apply(table, rows)
    return vectors


def inner_products(
    queries: Float[Tensor, "Q D"], table: Float[Tensor, "I D"], items: Int[Tensor, "Q C"]
) -> Float[Tensor, "Q C"]:
    """⟨query, table[item]⟩ for C items of each query.

    On the processor a kernel reads the rows where they lie; elsewhere, and for few rows of what is no parameter, they
    are looked up side by side (Q, C, D).
    """
    needs_gradient = torch.is_grad_enabled() and (queries.requires_grad or table.requires_grad)
    worth_it = not needs_gradient or _accumulates(table) or 2 * items.numel() > len(table)
    if worth_it and queries.dtype == table.dtype and _has_kernels(table):
        products: Tensor = InnerProducts.apply(queries, table, items)
        return products
    return (queries.unsqueeze(1) * look_up(table, items)).sum(-1)


def mean_squared_norm(table: Float[Tensor, "_ D"], rows: Tensor) -> Float[Tensor, ""]:
    """Mean of ‖table[row]‖² over rows of any shape; on the processor the rows are read where they lie, forward and back."""
    if not _has_kernels(table):
        return torch.nn.functional.embedding(rows, table).square().sum(-1).mean()
    norm: Tensor = MeanSquaredNorm.apply(table, rows)
    return norm


def _has_kernels(table: Tensor) -> bool:
    return table.device.type == "cpu" and table.dtype in (torch.float32, torch.float64)


def _accumulates(table: Tensor) -> bool:
    """Whether gradients of a table's rows go straight into ``table.grad``, as ``backward`` would leave them there.

    For a parameter on the processor: else every lookup of a step has a gradient as large as the table, of fresh memory,
    and all of them are added up. Not between processes, which wait for whole gradients; ``torch.autograd.grad`` is not
    to be asked for such a table.
    """
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    return alone and table.is_leaf and table.requires_grad and table.device.type == "cpu"


def _gradient(table: Tensor) -> tuple[Tensor, Tensor | None]:
    """What the rows' gradients are added to, and what ``backward`` hands on: a fresh tensor twice, or ``grad`` and nothing."""
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
        weights, of_queries, handed_on = _array(gradient), None, None
        if ctx.needs_input_grad[0]:
            of_queries = torch.zeros_like(queries, memory_format=torch.contiguous_format)
            kernels.add_rows(weights, _array(table), _array(items), of_queries.numpy())
        if ctx.needs_input_grad[1]:
            of_table, handed_on = _gradient(table)
            kernels.scatter_rows(weights, _array(queries), _array(items), of_table.numpy())
        return of_queries, handed_on, None


class MeanSquaredNorm(torch.autograd.Function):
    """``mean_squared_norm`` by kernels; the gradient of a table's row is 2/R · row for each of the R times it is named."""

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

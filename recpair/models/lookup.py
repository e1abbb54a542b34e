"""Rows of a table of vectors, with a gradient that costs what the batch costs and not what the table costs."""

import torch
from torch import Tensor


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

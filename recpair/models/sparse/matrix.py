"""Sparse matrices that are fitted, as part of the state dict, and their products."""

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from recpair.models.sparse import kernels


class SparseMatrix(nn.Module):
    """A float32 matrix in CSR as three buffers, without entries before ``assign``.

    The number of entries follows from the fit, so ``load_state_dict`` accepts any; a matrix that is not a valid CSR of
    ``n_rows`` rows is refused like a tensor of another size. With ``n_columns=None``, it has as many columns as its
    entries need.
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor

    def __init__(self, n_rows: int, n_columns: int | None) -> None:
        super().__init__()
        self.n_columns = n_columns
        self.register_buffer("indptr", torch.zeros(n_rows + 1, dtype=torch.int64))
        self.register_buffer("indices", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("values", torch.zeros(0))

    def assign(self, matrix: Any) -> None:
        """Store the entries of a scipy matrix of the same size."""
        matrix = sp.csr_array(matrix)
        self.indptr = torch.from_numpy(matrix.indptr.astype(np.int64))
        self.indices = torch.from_numpy(matrix.indices.astype(np.int32))
        self.values = torch.from_numpy(matrix.data.astype(np.float32))
        self._forget()

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """The matrix (n_rows, n_columns) on the CPU."""
        values, indices, indptr = (buffer.cpu().numpy() for buffer in (self.values, self.indices, self.indptr))
        n_columns = indices.max(initial=-1) + 1 if self.n_columns is None else self.n_columns
        return sp.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, n_columns))

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return indptr, indices and values."""
        return self.indptr.cpu().numpy(), self.indices.cpu().numpy(), self.values.cpu().numpy()

    @cached_property
    def transposed(self) -> sp.csr_matrix:
        """The transposed matrix, in CSR too."""
        return self.matrix.T.tocsr()

    def _forget(self) -> None:
        for name in ("matrix", "transposed"):
            vars(self).pop(name, None)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: dict[str, Any], strict: bool, *lists: list[str]
    ) -> None:
        for name in ("indices", "values"):
            if (loaded := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_empty(loaded.shape))
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, *lists)
        self._forget()
        try:
            self.matrix.check_format(full_check=True)
        except ValueError as error:
            lists[-1].append(f"{prefix.removesuffix('.')} is not a sparse matrix: {error}")


def dense_product(left: sp.csr_matrix, right: sp.csr_matrix) -> np.ndarray:
    """Return left (Q, R) · right (R, C), float32 (Q, C), identical for any number of threads."""
    out = np.zeros((left.shape[0], right.shape[1]), dtype=np.float32)
    kernels.add_sparse_product(left.indptr, left.indices, left.data, right.indptr, right.indices, right.data, out)
    return out

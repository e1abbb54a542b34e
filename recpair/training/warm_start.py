"""Warm start: weights of an earlier model of the same kind as initial weights, aligned by the ids of users and items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recpair.models import GradientModel
from recpair.models.blas import one_thread


@dataclass(frozen=True, eq=False)
class Alignment:
    """Correspondence of the indices of two runs.

    Attributes:
        users, items: int (U,) and (I,), the earlier index of each user and item; −1 if the earlier run has not trained it.
        n_users, n_items: numbers of users and items of the earlier run.
    """

    users: np.ndarray
    items: np.ndarray
    n_users: int
    n_items: int

    @property
    def same(self) -> bool:
        """True if both runs have the same users and items in the same order."""
        return all(
            len(rows) == size and bool((rows == np.arange(size)).all())
            for rows, size in ((self.users, self.n_users), (self.items, self.n_items))
        )


@dataclass(frozen=True)
class WarmStart:
    """Result of a warm start, by names of parameters.

    Attributes:
        tables: tables of users or items, of which the rows of known ids are copied.
        copied: parameters that are copied as a whole.
        left: parameters that keep their initialisation.
    """

    tables: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"tables": self.tables, "copied": self.copied, "left": self.left}


@torch.no_grad()
def warm_start(model: GradientModel, earlier: Mapping[str, Tensor], ids: Alignment) -> WarmStart:
    """Copy the weights of an earlier model into a model that has been initialised; call it before the first epoch.

    Of a table of users or items, the rows of ids that the earlier run has trained are copied. The other rows keep their
    initialisation after a rotation, the orthogonal R that minimises ‖X R − Y‖ (Procrustes; Schönemann, 1966), with X
    the initial and Y the copied rows of the known ids. It aligns rows of ``init: spectral`` with the trained ones, and
    does not change the distribution of normal draws. Other parameters are copied if their shape is the same, and if the
    buffers of their module (such as text vectors) are the same for known ids. The state of the optimiser is not copied.

    Args:
        earlier: the state dict of the earlier model.
        ids: correspondence of the indices.
    """
    done = WarmStart()
    fixed = {name: buffer for name, buffer in model.named_buffers() if name in earlier}
    for name, parameter in model.named_parameters():
        before = earlier.get(name)
        kind = None if before is None else _kind(name, parameter, before, ids)
        if before is None or not _same_inputs(name, fixed, earlier, ids):
            done.left.append(name)
        elif kind is not None:
            _copy_rows(parameter, before, ids.users if kind == "user" else ids.items)
            done.tables.append(name)
        elif parameter.shape == before.shape and (ids.same or not _may_be_table(model, name, before, ids)):
            parameter.copy_(before)
            done.copied.append(name)
        else:
            done.left.append(name)
    return done


def _kind(name: str, parameter: Tensor, before: Tensor, ids: Alignment) -> str | None:
    """Return user or item for a table with a row per user or item, by its name and its sizes; None for others."""
    if parameter.ndim == 0 or parameter.ndim != before.ndim or parameter.shape[1:] != before.shape[1:]:
        return None
    sizes = {"user": (len(ids.users), ids.n_users), "item": (len(ids.items), ids.n_items)}
    fitting = [kind for kind, size in sizes.items() if kind in name and size == (len(parameter), len(before))]
    return fitting[0] if len(fitting) == 1 else None


def _may_be_table(model: nn.Module, name: str, before: Tensor, ids: Alignment) -> bool:
    """Return True for a parameter that may have a row per id in another order, such as a table with padding."""
    sizes = {ids.n_users, ids.n_items, ids.n_users + ids.n_items}
    if before.ndim < 2 or not any(len(before) - n in (0, 1, 2) for n in sizes):
        return False
    owner = model.get_submodule(name.rpartition(".")[0])
    return "user" in name or "item" in name or isinstance(owner, nn.Embedding)


def _same_inputs(name: str, fixed: Mapping[str, Tensor], earlier: Mapping[str, Tensor], ids: Alignment) -> bool:
    """Return True if the buffers of a parameter's module are those of the earlier model, for known items."""
    module = name.rpartition(".")[0]
    for buffer, now in fixed.items():
        if buffer.rpartition(".")[0] != module or not module:
            continue
        before = earlier[buffer]
        if now.shape == (len(ids.items), *now.shape[1:]) and before.shape == (ids.n_items, *now.shape[1:]):
            known = torch.from_numpy(np.flatnonzero(ids.items >= 0))
            now, before = now[known], before[torch.from_numpy(ids.items[ids.items >= 0]).long()]
        if now.shape != before.shape or not torch.allclose(now, before, rtol=1e-4, atol=1e-6):
            return False
    return True


def _copy_rows(table: Tensor, before: Tensor, rows: np.ndarray) -> None:
    """Copy the rows of known ids, and rotate the others."""
    known = torch.from_numpy(rows >= 0)
    trained = before[torch.from_numpy(rows[rows >= 0]).long()]
    if table.ndim == 2 and len(trained) >= table.shape[1] and not known.all():
        table[~known] = table[~known] @ _rotation(table[known], trained)
    table[known] = trained


def _rotation(initial: Tensor, trained: Tensor) -> Tensor:
    """Return the orthogonal matrix (D, D) that maps the initial rows (R, D) to the trained ones as closely as possible."""
    with one_thread():
        left, _, right = np.linalg.svd(initial.double().numpy().T @ trained.double().numpy())
        rotation: np.ndarray = left @ right
    return torch.from_numpy(rotation).to(initial.dtype)

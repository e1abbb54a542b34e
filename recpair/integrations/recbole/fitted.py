"""RecBole models that are fitted in their constructor, such as EASE and ItemKNN."""

import io
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import RunError
from recpair.integrations.recbole import properties
from recpair.integrations.recbole.borrowed import borrowed, drawn_seed
from recpair.integrations.recbole.construction import make, settings_of
from recpair.integrations.recbole.dataset import USER, TrainingSet
from recpair.integrations.recbole.traits import Traits
from recpair.models import FittedModel, TableScorer


class RecBoleFittedModel(FittedModel):
    """A RecBole model that is fitted on construction; ``component`` creates one subclass per model.

    The learnt attributes (arrays and sparse matrices) are the extra state of the state dict, as the bytes of an
    ``.npz`` without pickles.
    """

    source: ClassVar[type[Any]]
    traits: ClassVar[Traits]

    def __init__(self, interactions: Interactions, **options: Any) -> None:
        super().__init__()
        self.interactions = interactions
        self.settings = settings_of(properties.settings(self.source.__name__, options))
        self.item_to_item = self.traits.rows is not None and self.settings["knn_method"] != "user"
        self._fitted: list[Any] = []  # in a list: torch would otherwise count its placeholder parameter as state

    def fit(self, interactions: Interactions) -> None:
        with borrowed(drawn_seed()):
            self._fitted = [make(self.source, self.settings, interactions)]

    def get_extra_state(self) -> Tensor:
        """Return the learnt attributes as bytes (uint8); empty before the fit."""
        if not self._fitted:
            return torch.empty(0, dtype=torch.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **packed(vars(self._fitted[0])))
        return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the RecBole model from the attributes packed by ``get_extra_state``, without fitting it."""
        with np.load(io.BytesIO(state.numpy().tobytes()), allow_pickle=False) as arrays:
            learnt = unpacked(dict(arrays))
        model: Any = object.__new__(self.source)
        with borrowed():
            super(self.source, model).__init__(self.settings, TrainingSet(self.interactions))
        for name, value in learnt.items():
            setattr(model, name, value)
        self._fitted = [model]

    def score(self, batch: Batch) -> TableScorer:
        with borrowed():
            scores: Tensor = self._model().full_sort_predict({USER: batch.user.cpu() + 1})
        return TableScorer(scores.reshape(len(batch), -1)[:, 1:].float())

    def fold_in(self, histories: Sequence[np.ndarray]) -> TableScorer:
        """Score unknown users by the same product with their rows.

        Raises:
            RunError: the model's scores require more than a row.
        """
        name = self.source.__name__
        if self.traits.rows is None or not self.item_to_item:
            raise RunError(
                f"recbole/{name} cannot score unknown users; ask for users of the training data, or use "
                f"recbole/EASE or item_knn"
            )
        given = ItemLists.of_lists(histories)
        shape = len(histories), self.interactions.n_items + 1
        rows = sp.csr_matrix((np.ones(len(given.items), dtype=np.float32), given.items + 1, given.indptr), shape=shape)
        scores: Any = self.traits.rows(self._model(), rows)
        dense = np.asarray(scores) if isinstance(scores, np.ndarray) else scores.toarray()
        return TableScorer(torch.from_numpy(dense[:, 1:].astype(np.float32)))

    def _model(self) -> Any:
        assert self._fitted, "fit or load before scoring"
        return self._fitted[0]


def packed(attributes: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return arrays, sparse matrices, tensors and numbers among ``attributes`` as plain arrays ``kind|name|part``."""
    arrays = {}
    for name, value in attributes.items():
        if isinstance(value, np.ndarray):
            arrays[f"array|{name}"] = np.asarray(value)
        elif isinstance(value, Tensor):
            arrays[f"tensor|{name}"] = value.numpy()
        elif isinstance(value, bool | int | float):
            arrays[f"number|{name}"] = np.array(value)
        elif isinstance(value, sp.spmatrix):
            matrix: Any = value
            rows = matrix.tocsr()
            parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}
            arrays |= {f"{value.getformat()}|{name}|{part}": array for part, array in parts.items()}
    return arrays


def unpacked(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Inverse of ``packed``."""
    attributes: dict[str, Any] = {}
    for key, array in arrays.items():
        kind, name, *part = key.split("|")
        if not part:
            makers: dict[str, Any] = {"array": lambda a: a, "tensor": torch.from_numpy, "number": np.ndarray.item}
            attributes[name] = makers[kind](array)
        elif part == ["data"]:
            indices, indptr, shape = (arrays[f"{kind}|{name}|{p}"] for p in ("indices", "indptr", "shape"))
            rows: Any = sp.csr_matrix((array, indices, indptr), shape=tuple(shape))
            attributes[name] = rows.asformat(kind)
    return attributes

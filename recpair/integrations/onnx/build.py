"""Graph of a trained model."""

import copy

import numpy as np
import scipy.sparse as sp
import torch

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.errors import RunError
from recpair.integrations.embeddings import Embeddings, Trained
from recpair.integrations.onnx.graphs import DenseWeights, Graph, HistoryGraph, InnerProducts, SparseWeights, UserGraph
from recpair.integrations.onnx.padded import PaddedGRU4Rec, PaddedSASRec
from recpair.models import HistoryModel, Model
from recpair.models.ease import LinearScorer
from recpair.models.gru4rec import GRU4Rec
from recpair.models.sasrec import SASRec
from recpair.models.sparse.item_weights import ItemToItemModel, SparseScorer


@torch.no_grad()
def graph_of(model: Model, name: str, train: Interactions, trained: Trained) -> Graph:
    """Return the graph of a model; its users and items are the positions in ``trained``.

    Args:
        name: of the model, in messages.

    Raises:
        RunError: the model has none.
    """
    if isinstance(model, SASRec | GRU4Rec):
        if any(tensor.dtype != torch.float32 for tensor in model.parameters()):
            model = copy.deepcopy(model).float()  # trained with train.precision=64
        table = model.item_vectors()[torch.from_numpy(trained.items)]
        encoder = PaddedSASRec(model, table) if isinstance(model, SASRec) else PaddedGRU4Rec(model, table)
        cosine = model.similarity == "cosine"
        return HistoryGraph(
            InnerProducts(encoder, torch.nn.functional.normalize(table, dim=1) if cosine else table, cosine)
        )
    if isinstance(model, ItemToItemModel):
        scorer = model.scorer(ItemLists.of_lists([]))
        if isinstance(scorer, LinearScorer):
            chosen = torch.from_numpy(trained.items)
            return HistoryGraph(DenseWeights(scorer.weights[chosen][:, chosen]))
        if isinstance(scorer, SparseScorer) and scorer.scale is None:
            return HistoryGraph(_of_sparse(scorer, trained.items))
    elif not isinstance(model, HistoryModel) and (found := Embeddings.of(model, train)) is not None:
        return _of_users(found, train)
    raise RunError(
        f"model {name} has no graph for the format onnx; "
        f"export a run of mf, lightgcn, ials, sasrec, gru4rec, ease, item_knn or slim"
    )


def _of_sparse(scorer: SparseScorer, items: np.ndarray) -> DenseWeights | SparseWeights:
    """Return the smaller of a dense matrix and, for each row, its non-zero weights and their columns (int32)."""
    indptr, columns, values = scorer.weights
    matrix = sp.csr_array((values, columns, indptr), shape=(len(indptr) - 1,) * 2)[items][:, items].tocsr()
    matrix.eliminate_zeros()
    counts = np.diff(matrix.indptr)
    width = int(counts.max(initial=1))
    if 2 * width >= len(items):
        return DenseWeights(torch.from_numpy(matrix.toarray()))
    filled = np.arange(width) < counts[:, None]
    neighbours, weights = np.full(filled.shape, len(items), np.int32), np.zeros(filled.shape, np.float32)
    neighbours[filled], weights[filled] = matrix.indices, matrix.data
    return SparseWeights(torch.from_numpy(neighbours), torch.from_numpy(weights))


def _of_users(found: Embeddings, train: Interactions) -> UserGraph:
    trained = found.trained
    indptr = np.concatenate([[0], np.cumsum(np.diff(train.indptr)[trained.users])])
    events = np.searchsorted(trained.items, train.item).astype(np.int32)  # all events are of trained users and items
    tensors = (torch.from_numpy(part) for part in (found.users, found.items, indptr, events))
    return UserGraph(*tensors)

"""Two-tower model: items by id and content, users by the items of their history."""

import copy
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, normalize

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models.contract import ContentModel, SequenceModel
from recpair.models.dropout import dropout
from recpair.models.layers import Embedding, Linear
from recpair.models.lookup import inner_products, look_up
from recpair.models.partition import log_partition
from recpair.models.scorer import Similarity, Vectors
from recpair.seeds import generator


class ItemTower(nn.Module):
    """v_i = d_i · e_i + W₂ gelu(W₁ x_i + b), or d_i · e_i + W₁ x_i without a hidden layer.

    e_i is an embedding of the item, x_i (F) its content: the semantic vector and the categories, each of length one. d_i is
    0 for an item without training events, else 1; in training it is 0 with probability ``id_dropout`` for each occurrence,
    so that the content learns to stand in for the embedding. Content is a buffer: a trained model needs no texts.
    """

    content: Tensor
    trained: Tensor
    n_texts: Tensor

    def __init__(
        self, trained: np.ndarray, content: np.ndarray, texts: int, dim: int, hidden: int, id_dropout: float, std: float
    ) -> None:
        super().__init__()
        self.id_dropout = id_dropout
        self.ids = Embedding(len(trained), dim)
        self.register_buffer("trained", torch.from_numpy(trained.astype(np.float32)), persistent=False)
        self.register_buffer("content", torch.from_numpy(content))
        self.register_buffer("n_texts", torch.tensor(texts))  # leading columns of the content: the semantic vector
        self.first = nn.Parameter(torch.empty(hidden or dim, content.shape[1]))
        self.bias = nn.Parameter(torch.zeros(hidden)) if hidden else None
        self.second = nn.Parameter(torch.empty(dim, hidden)) if hidden else None
        for weight in (self.ids.weight, self.first, *([] if self.second is None else [self.second])):
            nn.init.normal_(weight, std=std, generator=generator())
        self._cached: tuple[object, Tensor] | None = None

    def rows(self, items: Int[Tensor, "R"] | None) -> Float[Tensor, "R D"]:
        """Return the vectors of some items, or of all (None)."""
        rows = (self.ids.weight, self.content, self.trained)
        ids, content, kept = rows if items is None else (look_up(rows[0], items), rows[1][items], rows[2][items])
        if self.training and self.id_dropout > 0:
            kept = kept * torch.empty_like(kept).bernoulli_(1 - self.id_dropout, generator=generator(kept.device))
        return ids * kept.unsqueeze(1) + self.placed(content)

    def placed(self, content: Float[Tensor, "R F"]) -> Float[Tensor, "R D"]:
        """Return the vectors of content alone."""
        vectors = linear(content, self.first)
        if self.second is not None and self.bias is not None:
            vectors = linear(gelu(vectors + self.bias), self.second)
        return vectors

    def table(self) -> Float[Tensor, "I D"]:
        """Return the vectors of all items, computed once for the same weights in evaluation without gradients."""
        if self.training or torch.is_grad_enabled():
            return self.rows(None)
        state = [(each.data_ptr(), each._version) for each in (*self.parameters(), self.content)]
        if self._cached is None or self._cached[0] != state:
            self._cached = state, self.rows(None)
        return self._cached[1]

    def train(self, mode: bool = True) -> "ItemTower":
        self._cached = None
        return super().train(mode)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        content, first = (state_dict.get(f"{prefix}{name}") for name in ("content", "first"))
        if content is not None and first is not None and content.ndim == 2 == first.ndim:
            self.content = self.content.new_empty((len(self.content), content.shape[1]))
            self.first.data = self.first.new_empty((len(self.first), content.shape[1]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class TowerVectors(Vectors):
    """Vectors of an item tower; the table of all items is computed at its first use.

    The log-partition is over the items with training events: others are not negatives.
    """

    tower: ItemTower
    gradients: bool

    def __init__(self, queries: Float[Tensor, "Q D"], tower: ItemTower) -> None:
        vars(self).update(queries=queries, tower=tower, gradients=torch.is_grad_enabled())

    @cached_property
    def items(self) -> Float[Tensor, "I D"]:
        with torch.set_grad_enabled(self.gradients):  # the first use may be that of a diagnostic
            return self.tower.table()

    def of(self, items: Int[Tensor, "_ C"]) -> Float[Tensor, "Q C"]:
        if "items" in vars(self) or items.numel() >= len(self.tower.trained):
            return super().of(items)
        if len(items) == 1:
            return self.queries @ self.tower.rows(items[0]).T
        distinct, place = items.unique(return_inverse=True)
        return inner_products(self.queries, self.tower.rows(distinct), place)

    def log_partition(self) -> Float[Tensor, "Q 1"]:
        trained = self.tower.trained > 0
        return log_partition(self.queries, self.items if bool(trained.all()) else self.items[trained])


class TwoTower(SequenceModel, ContentModel):
    """score(h, i) = ⟨q_h, v_i⟩, v the vectors of an item tower (``ItemTower``), q_h made of those of the history.

    q_h = m + U m + b, m = (v_0 + Σ_j decay^d(j) v_j) / (1 + Σ_j decay^d(j)) over the items j of the history, d(j) the
    number of items after j; v_0, U and b are learnt, and v_0 is the mean of an empty history. With ``text: add``, the
    content of an item is the dense vector of the config section ``semantics`` and its categories (``data.attributes``);
    with none, its categories only.

    New items have a place by their content, as ``id_dropout`` has trained it to stand in for the embedding: the item
    dropout of DropoutNet (Volkovs et al., NeurIPS 2017), which drops preference vectors of a trained factorisation
    instead. Items without training events are not negatives in losses over the whole catalogue (with ``similarity: dot``).
    Uniform negatives draw them; popularity and in_batch negatives do not.
    """

    def __init__(
        self,
        interactions: Interactions,
        semantic_vectors: np.ndarray | None = None,
        item_categories: sp.csr_matrix | None = None,
        *,
        history_length: Annotated[int, Field(gt=0)] = 50,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        hidden_dim: Annotated[int, Field(ge=0)] = 0,
        text: Literal["none", "add"] = "add",
        id_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
        decay: Annotated[float, Field(gt=0, le=1)] = 1.0,
        init_std: Annotated[float, Field(gt=0)] = 0.05,
        similarity: Similarity = "dot",
    ) -> None:
        """
        Args:
            hidden_dim: length of a hidden layer between the content and the vector; 0 for none.
            text: add, to read the semantic vector of an item, which requires the section ``semantics``.
            id_dropout: share of occurrences of items that are represented by their content alone, in training.
            dropout: of the elements of the items in histories.
            decay: weight of an item relative to the one after it.
        """
        super().__init__()
        self.history_length, self.similarity = history_length, similarity
        self.rate, self.decay = dropout, decay
        n_items = interactions.n_items
        texts = np.zeros((n_items, 0), np.float32)
        if text == "add" and semantic_vectors is not None:
            texts = semantic_vectors
        content = content_of(texts, item_categories)
        trained = interactions.item_counts > 0
        self.tower = ItemTower(trained, content, texts.shape[1], embedding_dim, hidden_dim, id_dropout, init_std)
        self.empty = nn.Parameter(torch.zeros(embedding_dim))
        self.user = Linear(embedding_dim, embedding_dim)
        nn.init.normal_(self.user.weight, std=init_std, generator=generator())
        nn.init.zeros_(self.user.bias)

    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H T D"]:
        vectors, real = self._read(history)
        place = torch.arange(history.shape[1], device=history.device)
        distance = place[:, None] - place
        weights = torch.where(distance >= 0, self.decay ** distance.clamp_min(0), 0.0)
        mean = (weights @ vectors + self.empty) / (1 + weights @ real)
        return self._query(mean)

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        vectors, real = self._read(history)
        weights = self.decay ** torch.arange(history.shape[1] - 1, -1, -1, device=history.device).unsqueeze(0)
        mean = ((weights @ vectors + self.empty) / (1 + weights @ real)).squeeze(1)
        return self._query(mean)

    def _query(self, mean: Tensor) -> Tensor:
        mapped: Tensor = self.user(mean)
        return mean + mapped

    def _read(self, history: Int[Tensor, "H T"]) -> tuple[Float[Tensor, "H T D"], Float[Tensor, "H T 1"]]:
        """Return the vectors of the items, 0 at the padding, and 1 at each item."""
        real = history >= 0
        found = dropout(self.tower.rows(history[real]), self.rate, self.training)
        vectors = found.new_zeros(real.numel(), found.shape[1]).index_copy(
            0, real.flatten().nonzero().squeeze(1), found
        )
        return vectors.view(*history.shape, -1), real.unsqueeze(2).to(found.dtype)

    def item_vectors(self) -> Float[Tensor, "I D"]:
        return self.tower.table()

    def raw_item_vectors(self) -> Float[Tensor, "I D"]:
        return self.tower.ids.weight

    def score(self, batch: Batch) -> Vectors:
        if self.similarity != "dot":
            return super().score(batch)
        return TowerVectors(self.queries(batch), self.tower)

    @property
    def reads_content(self) -> bool:
        """True unless the model was trained without texts and categories."""
        return self.tower.content.shape[1] > 0

    @property
    def texts(self) -> Float[np.ndarray, "I S"]:
        """Semantic vectors of the items."""
        found: np.ndarray = self.tower.content[:, : int(self.tower.n_texts)].cpu().numpy()
        return found

    @torch.no_grad()
    def content_vectors(self, items: np.ndarray) -> Float[np.ndarray, "R D"]:
        places = torch.from_numpy(items.astype(np.int64)).to(self.device)
        vectors = self.tower.placed(self.tower.content[places])
        if self.similarity == "cosine":
            vectors = normalize(vectors, dim=-1)
        found: np.ndarray = vectors.cpu().numpy()
        return found

    @torch.no_grad()
    def with_items(
        self, size: int, places: np.ndarray, semantic_vectors: np.ndarray, item_categories: sp.csr_matrix
    ) -> "TwoTower":
        other = copy.deepcopy(self)
        tower = other.tower
        added = torch.from_numpy(content_of(semantic_vectors, item_categories)).to(tower.content)
        grown = size - len(tower.trained)
        for holder, name in ((tower, "content"), (tower, "trained"), (tower.ids, "weight")):
            table = getattr(holder, name).data
            wide = torch.cat([table, table.new_zeros(grown, *table.shape[1:])])
            setattr(holder, name, nn.Parameter(wide) if name == "weight" else wide)
        tower.content[torch.from_numpy(places).to(added.device)] = added
        return other.eval()


def content_of(texts: np.ndarray, categories: sp.csr_matrix | None) -> Float[np.ndarray, "I _"]:
    """Return semantic vectors and categories side by side, the categories of an item as a vector of length one."""
    if categories is None:
        return texts.astype(np.float32)
    dense = categories.toarray().astype(np.float32)
    dense /= np.sqrt(np.maximum(dense.sum(axis=1, keepdims=True), 1))
    return np.concatenate([texts.astype(np.float32), dense], axis=1)

"""SASRec: a causal transformer over the history of a user."""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.models.contract import SequenceModel
from recpair.models.dropout import dropout
from recpair.models.layers import Embedding
from recpair.models.ligr import GatedBlock
from recpair.models.lookup import look_up
from recpair.models.scorer import Similarity, Vectors
from recpair.models.text_projection import LazyVectors, TextProjection
from recpair.models.transformer import Activation, Block, Packing
from recpair.seeds import generator


class SASRec(SequenceModel):
    """score(h, i) = ⟨z_h, e_i⟩, z_h the last position of a causal transformer over the embeddings e of the history.

    Source: Kang & McAuley, ICDM 2018. ``norm: post`` is the transformer of BERT, as used by RecBole and SRA-CL (NeurIPS
    2025): the embeddings and each residual sum are normalised. ``norm: pre`` normalises the input of each layer and the
    final output. ``block: ligr`` has the gated blocks of LiGR (``GatedBlock``), as eSASRec does (Tikhonovich et al.,
    RecSys 2025). With ``text: add``, e_i is the sum of an embedding of the item and W x_i, with x the dense vectors of
    the config section ``semantics`` and W learnt, in histories and in scores, so that items with few or no training
    events have a place too. Deviations: learned positions count from the end, so that a batch is only as long as its
    longest history; padding is computed in attention only. An empty history has the vector 0.
    """

    def __init__(
        self,
        interactions: Interactions,
        semantic_vectors: np.ndarray | None = None,
        *,
        history_length: Annotated[int, Field(gt=0)] = 50,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        n_layers: Annotated[int, Field(gt=0, le=100)] = 2,
        n_heads: Annotated[int, Field(gt=0)] = 2,
        inner_dim: Annotated[int, Field(gt=0)] = 256,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        activation: Activation | None = None,
        norm: Literal["pre", "post"] = "pre",
        norm_epsilon: Annotated[float, Field(gt=0)] = 1e-12,
        init_std: Annotated[float, Field(gt=0)] = 0.02,
        similarity: Similarity = "dot",
        block: Literal["transformer", "ligr"] = "transformer",
        text: Literal["none", "add"] = "none",
        text_dim: Annotated[int, Field(gt=0)] = 64,
    ) -> None:
        """
        Args:
            activation: of the feed-forward layers, by default gelu; of their gates with ``block: ligr``, by default silu.
            block: transformer, or ligr with gated residual connections, which requires ``norm: pre``.
            text: add, to add a projection of the item's semantic vector to its embedding.
            text_dim: S, the number of principal directions of longer semantic vectors that are kept.

        Raises:
            ConfigError: ``embedding_dim`` is not divisible by ``n_heads``, or ``block: ligr`` is used with ``norm: post``.
        """
        if embedding_dim % n_heads:
            raise ConfigError(
                f"model.embedding_dim is {embedding_dim}, not divisible by {n_heads} heads; "
                f"choose a multiple of model.n_heads"
            )
        if block == "ligr" and norm == "post":
            raise ConfigError("model.block is ligr, which is pre-norm, but model.norm is post; set model.norm=pre")
        super().__init__()
        self.history_length, self.similarity = history_length, similarity
        self.rate, self.pre = dropout, norm == "pre"
        self.item_embedding = Embedding(interactions.n_items, embedding_dim)
        self.position_embedding = Embedding(history_length, embedding_dim)  # the last row belongs to the latest item
        self.norm = nn.LayerNorm(embedding_dim, eps=norm_epsilon)
        self.blocks = nn.ModuleList(
            GatedBlock(embedding_dim, n_heads, inner_dim, dropout, activation or "silu", norm_epsilon)
            if block == "ligr"
            else Block(embedding_dim, n_heads, inner_dim, dropout, activation or "gelu", self.pre, norm_epsilon)
            for _ in range(n_layers)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=init_std, generator=generator())
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        self.text: TextProjection | None = None
        if text == "add":
            self.text = TextProjection(interactions.n_items, semantic_vectors, text_dim, embedding_dim, init_std)

    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H T D"]:
        packing = Packing.of(history)
        x = self._embedded(history, packing)
        for block in self.blocks:
            x = block(x, packing)
        return packing.spread(self.norm(x) if self.pre else x)

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        """Encode with one position per history in the last block: with two blocks, two fifths less computation."""
        packing = Packing.of(history)
        x = self._embedded(history, packing)
        if len(x) == 0:  # all histories are empty
            return packing.spread(x)[:, -1]
        *blocks, top = self.blocks
        assert isinstance(top, Block | GatedBlock)
        for block in blocks:
            x = block(x, packing)
        x = top.last(x, packing)
        return (self.norm(x) if self.pre else x).masked_fill(~packing.real[:, -1:], 0.0)

    def _embedded(self, history: Int[Tensor, "H T"], packing: Packing) -> Float[Tensor, "R D"]:
        positions = self.position_embedding.weight[-history.shape[1] :].expand(len(history), -1, -1)
        items = history[packing.real]
        x = self._rows(items) + packing.pack(positions)
        return dropout(x if self.pre else self.norm(x), self.rate, self.training)

    def _rows(self, items: Int[Tensor, "R"]) -> Float[Tensor, "R D"]:
        embeddings = self.item_embedding.weight
        return look_up(embeddings, items) if self.text is None else self.text.rows(embeddings, items)

    def item_vectors(self) -> Float[Tensor, "I D"]:
        embeddings = self.item_embedding.weight
        return embeddings if self.text is None else self.text.table(embeddings)

    def raw_item_vectors(self) -> Float[Tensor, "I D"]:
        return self.item_embedding.weight

    def score(self, batch: Batch) -> Vectors:
        if self.text is None or self.similarity != "dot":
            return super().score(batch)
        return LazyVectors(self.queries(batch), self.item_embedding.weight, self.text)

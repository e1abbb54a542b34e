"""GRU4Rec: a recurrent network over the history of a user."""

from typing import Annotated

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from recpair.data.interactions import Interactions
from recpair.models.contract import SequenceModel
from recpair.models.dropout import dropout as drop
from recpair.models.layers import GRU, Embedding, Linear
from recpair.models.lookup import look_up
from recpair.models.scorer import Similarity
from recpair.seeds import generator


class GRU4Rec(SequenceModel):
    """score(h, i) = ⟨W·g_h + b, e_i⟩, g_h the last state of a GRU over the embeddings e of the history.

    Source: Hidasi et al., ICLR 2016, in the variant of Tan et al. (DLRS 2016) that RecBole implements: dropout on the
    embeddings, a dense layer from the state to the embedding size, output embeddings tied to the input. The GRU has no
    biases, so its state stays 0 over the padding on the left: gates of 1/2 mix 0 with tanh(0).
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        history_length: Annotated[int, Field(gt=0)] = 50,
        embedding_dim: Annotated[int, Field(gt=0)] = 64,
        hidden_dim: Annotated[int, Field(gt=0)] = 128,
        n_layers: Annotated[int, Field(gt=0, le=100)] = 1,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3,
        similarity: Similarity = "dot",
    ) -> None:
        super().__init__()
        self.history_length, self.similarity = history_length, similarity
        self.item_embedding = Embedding(interactions.n_items, embedding_dim)
        self.rate = dropout
        self.gru = GRU(embedding_dim, hidden_dim, n_layers, bias=False, batch_first=True)
        self.dense = Linear(hidden_dim, embedding_dim)
        nn.init.xavier_normal_(self.item_embedding.weight, generator=generator())
        for name, weight in self.gru.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_uniform_(weight, generator=generator())

    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H T D"]:
        places: Tensor = self.dense(self._states(history))
        return places

    def encode_last(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H D"]:
        last: Tensor = self.dense(self._states(history)[:, -1])
        return last

    def _states(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H T _"]:
        vectors = look_up(self.item_embedding.weight, history.clamp_min(0))
        states: Tensor
        states, _ = self.gru(drop(vectors, self.rate, self.training).masked_fill(history.unsqueeze(2) < 0, 0.0))
        return states

    def item_vectors(self) -> Float[Tensor, "I D"]:
        return self.item_embedding.weight

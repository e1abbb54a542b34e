"""Sequence models on padded histories, without operations whose shapes depend on values, so that they can be traced."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from recpair.data.histories import PADDING
from recpair.models.gru4rec import GRU4Rec
from recpair.models.ligr import GatedBlock
from recpair.models.sasrec import SASRec
from recpair.models.transformer import Block, Packing


class Padded(Packing):
    """Positions of a batch of histories, all of which are computed: those of the padding are masked in attention."""

    @classmethod
    def of(cls, history: Int[Tensor, "H T"]) -> "Padded":
        real, t = history >= 0, history.shape[1]
        ones = torch.ones(t, t, dtype=torch.bool, device=history.device)
        return cls(real, None, (ones.tril() & real[:, None, None, :]) | ones.diag().diag())

    def last(self, packed: Float[Tensor, "R _"]) -> Float[Tensor, "H _"]:
        return self.spread(packed)[:, -1]

    def seen_from_the_last(self) -> Bool[Tensor, "H 1 1 T"]:
        return torch.cat([self.real[:, :-1], torch.ones_like(self.real[:, -1:])], dim=1)[:, None, None, :]


class PaddedSASRec(nn.Module):
    """``SASRec.encode_last`` for histories of indices into ``table``, with the blocks of the model.

    Args:
        table: input vectors of the items (I, D).
    """

    table: Tensor

    def __init__(self, model: SASRec, table: Float[Tensor, "I D"]) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.history_length, self.pre = model.history_length, model.pre
        self.positions, self.blocks, self.norm = model.position_embedding.weight, model.blocks, model.norm

    def forward(self, history: Int[Tensor, "H _"]) -> Float[Tensor, "H D"]:
        history = latest(history, self.history_length)
        packing = Padded.of(history)
        x = torch.nn.functional.embedding(history.clamp_min(0), self.table) + self.positions
        x = (x if self.pre else self.norm(x)).flatten(0, 1)
        *blocks, top = self.blocks
        assert isinstance(top, Block | GatedBlock)
        for block in blocks:
            x = block(x, packing)
        x = top.last(x, packing)
        return (self.norm(x) if self.pre else x).masked_fill(~packing.real[:, -1:], 0.0)


class PaddedGRU4Rec(nn.Module):
    """``GRU4Rec.encode_last`` for histories of indices into ``table``, with the layers of the model."""

    table: Tensor

    def __init__(self, model: GRU4Rec, table: Float[Tensor, "I D"]) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.history_length, self.gru, self.dense = model.history_length, model.gru, model.dense

    def forward(self, history: Int[Tensor, "H _"]) -> Float[Tensor, "H D"]:
        history = latest(history, self.history_length)
        x = torch.nn.functional.embedding(history.clamp_min(0), self.table).masked_fill(history.unsqueeze(2) < 0, 0.0)
        last: Tensor = self.dense(self.gru(x)[0][:, -1])
        return last


def latest(history: Int[Tensor, "H _"], length: int) -> Int[Tensor, "H T"]:
    """Return the last T columns, with padding before them if there are fewer."""
    return pad(history, (length, 0), value=PADDING).narrow(1, history.shape[1], length)

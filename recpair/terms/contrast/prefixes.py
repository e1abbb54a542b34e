"""Training histories on the device of the model, indexed by the training row that follows them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recpair.data.histories import PADDING
from recpair.data.interactions import Interactions
from recpair.models import SequenceModel


class Prefixes(nn.Module):
    """``data.histories.before`` as tensors: the T items before a training row in its user's history."""

    item: Tensor
    first: Tensor

    def __init__(self, train: Interactions, history_length: int) -> None:
        super().__init__()
        self.length = history_length
        self.register_buffer("item", torch.from_numpy(train.item).long(), persistent=False)
        first = torch.from_numpy(train.indptr[train.user]).long()
        self.register_buffer("first", first, persistent=False)

    def of(self, rows: Int[Tensor, "H"]) -> Int[Tensor, "H T"]:
        """Return the items before each row; the width is that of the longest history, at least one."""
        longest = int((rows - self.first[rows]).max()) if len(rows) else 1
        width = max(1, min(self.length, longest))
        places = rows.unsqueeze(1) - torch.arange(width, 0, -1, device=rows.device)
        known = places >= self.first[rows].unsqueeze(1)
        return torch.where(known, self.item[places.clamp_min(0)], PADDING)

    def encode(self, model: SequenceModel, rows: Int[Tensor, "H"]) -> Float[Tensor, "H D"]:
        """Vectors of the histories before the rows."""
        return model.encode_last(self.of(rows))

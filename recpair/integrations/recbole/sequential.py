"""Sequential RecBole models trained by recpair's loop, with their own loss or one of recpair's."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.integrations.recbole import properties
from recpair.integrations.recbole.borrowed import borrowed, drawn_seed, inside
from recpair.integrations.recbole.construction import make, move_plain_tensors, refusing, settings_of
from recpair.integrations.recbole.dataset import HISTORY, ITEM, LENGTH, NEGATIVE
from recpair.integrations.recbole.sequence_traits import SequenceTraits
from recpair.models import OwnLossModel, SequenceModel, Touched


class RecBoleSequenceModel(SequenceModel, OwnLossModel):
    """Wrapper of a RecBole model in ``inner``; ``component`` creates one subclass per model.

    Scores are RecBole's ``full_sort_predict`` without the padding item, whose index is 0: RecBole's indices are
    recpair's plus one. A whole history, padded on the right to T, is encoded to one vector; other positions have none.
    A history without items, which does not occur in RecBole, has the vector 0.

    ``own_loss`` is RecBole's: softmax over all items and the padding, or BPR, by ``loss_type``. BERT4Rec masks items
    of the prefixes by RecBole's ``MaskItemSequence`` (with ``mask_ratio`` and ``ft_ratio``) and never sees later items;
    with a loss of recpair's it is trained as it is scored, on a mask after the prefix.
    """

    source: ClassVar[type[Any]]
    traits: ClassVar[SequenceTraits]
    interaction: ClassVar[type[Any]]  # RecBole's class of batches
    transformation: ClassVar[Callable[..., Any]]  # from settings to RecBole's transform of a batch before its loss
    every_place = False

    def __init__(self, interactions: Interactions, *, history_length: int, **options: Any) -> None:
        """
        Raises:
            ConfigError: the model rejects its options, or they are inconsistent.
        """
        super().__init__()
        self.history_length = history_length
        with borrowed(drawn_seed()):
            self.settings = settings_of(properties.settings(self.source.__name__, options), history_length)
            self.transform = self.transformation(self.settings)  # adds to the settings
            self.inner = make(self.source, self.settings, interactions)
            with refusing(self.source), torch.no_grad():  # some inconsistent options fail only here
                self.encode(torch.zeros(1, history_length, dtype=torch.int64))
        if int(self.settings.get("mask_ratio", 1) * history_length) < 1:
            raise ConfigError(
                "model.mask_ratio · model.history_length is below 1, so nothing is masked; raise one of them"
            )

    def _apply(self, fn: Any, recurse: bool = True) -> "RecBoleSequenceModel":
        """Move or cast also the tensors that RecBole keeps outside its state dict."""
        super()._apply(fn, recurse)
        move_plain_tensors(self.inner, fn)
        return self

    def encode(self, history: Int[Tensor, "H T"]) -> Float[Tensor, "H 1 D"]:
        items, length = self._laid_out(history)
        with inside(self.training):
            vectors = self.traits.query(self.inner, items, length.clamp_min(1))
        return torch.where(length.unsqueeze(1) > 0, vectors, 0.0).unsqueeze(1)

    def item_vectors(self) -> Float[Tensor, "I D"]:
        with inside(self.training):
            return self.traits.items(self.inner)[1:]

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        """Return the raw embeddings of the last item of each query, the positives and the negatives."""
        assert batch.history is not None, "a sequence model needs histories"
        parts = (batch.history[:, -1:], batch.positives) + (() if batch.negatives is None else (batch.negatives,))
        return tuple((self.inner.item_embedding.weight, part.clamp_min(0) + 1) for part in parts)

    def own_loss(self, batch: Batch, epoch: int) -> Float[Tensor, ""]:
        sizes = SimpleNamespace(num=lambda field: self.inner.n_items)  # all that a transform reads from the data set
        with inside(self.training):
            examples = self.transform(sizes, self.interaction(self._examples(batch)))
            masked = self.settings["MASK_INDEX"]
            # RecBole's mean over no masked item is 0/0; this never occurs if lengths are mixed in a batch.
            nothing = masked is not None and not bool((examples[masked] > 0).any())
            weight: Tensor = self.inner.item_embedding.weight
            loss: Tensor = 0.0 * weight.sum() if nothing else self.inner.calculate_loss(examples)
        return loss.squeeze()  # RecBole's penalties have one dimension

    def _examples(self, batch: Batch) -> dict[str, Tensor]:
        """Return the batch in RecBole's layout; for BPR, all queries with their first negative, then their second, …"""
        assert batch.history is not None, "a sequence model needs histories"
        items, length = self._laid_out(batch.history)
        examples = {HISTORY: items, LENGTH: length, ITEM: batch.positives[:, 0] + 1}
        if self.settings["loss_type"] != "BPR":
            return examples
        assert batch.negatives is not None, "BPR compares with negatives"
        negatives = batch.negatives.expand(len(batch), -1)
        n = negatives.shape[1]
        repeated = {name: torch.cat([column] * n) for name, column in examples.items()}
        return repeated | {NEGATIVE: negatives.T.flatten() + 1}

    def _laid_out(self, history: Int[Tensor, "H _"]) -> tuple[Int[Tensor, "H T"], Int[Tensor, "H"]]:
        """Return the latest T items from left to right, then RecBole's padding; and the number of items."""
        real = history[:, -self.history_length :] >= 0
        items = torch.where(real, history[:, -self.history_length :] + 1, 0)
        length = real.sum(1)
        places = torch.arange(self.history_length, device=history.device) + (real.shape[1] - length).unsqueeze(1)
        return nn.functional.pad(items, (0, self.history_length)).gather(1, places), length

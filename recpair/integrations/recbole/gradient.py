"""RecBole models trained by recpair's loop, with their own loss or one of recpair's."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import RunError, TrainingError
from recpair.integrations.recbole import properties
from recpair.integrations.recbole.borrowed import borrowed, drawn_seed, inside
from recpair.integrations.recbole.construction import make, move_plain_tensors, settings_of
from recpair.integrations.recbole.dataset import ITEM, LABEL, NEGATIVE, RATING, USER
from recpair.integrations.recbole.scorers import PairScorer
from recpair.integrations.recbole.traits import Traits
from recpair.models import OwnLossModel, Scorer, TableScorer, Touched, Vectors
from recpair.models.fold_in import ridge_fold_in


class RecBoleModel(OwnLossModel):
    """Wrapper of a RecBole model in ``inner``; ``component`` creates one subclass per model.

    Scores are RecBole's without the padding item. RecBole's indices are recpair's plus one.
    """

    source: ClassVar[type[Any]]
    traits: ClassVar[Traits]
    full_sort: ClassVar[bool]

    def __init__(self, interactions: Interactions, **options: Any) -> None:
        super().__init__()
        self.n_items = interactions.n_items
        self.ratings = None if interactions.rating is None else torch.from_numpy(interactions.rating)
        with borrowed(drawn_seed()):
            self.settings = settings_of(properties.settings(self.source.__name__, options))
            self.inner = make(self.source, self.settings, interactions)
        for name in self.traits.state:
            self.inner.register_buffer(name, torch.as_tensor(vars(self.inner).pop(name)))
        if self.traits.logits:
            self.inner.sigmoid = nn.Identity()
        self._ready: tuple[Tensor, Tensor] | None = None  # vectors, cached during evaluation
        self._epoch = 0

    def train(self, mode: bool = True) -> "RecBoleModel":
        """Set the mode, discard values computed from other weights, and draw the model's random values of an epoch."""
        self._ready = None
        if self.traits.cache is not None:
            setattr(self.inner, self.traits.cache, None)
        with borrowed(drawn_seed() if mode else 0):  # SGL drops edges here
            super().train(mode)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> "RecBoleModel":
        """Move or cast also the tensors that RecBole keeps outside its state dict."""
        super()._apply(fn, recurse)
        move_plain_tensors(self.inner, fn)
        return self

    def own_loss(self, batch: Batch, epoch: int) -> Float[Tensor, ""]:
        with inside(self.training):
            if epoch != self._epoch and self.traits.new_epoch is not None:
                self.traits.new_epoch(self.inner, self.settings, epoch)
            self._epoch = epoch
            loss = self.inner.calculate_loss(self._examples(batch))
        parts = loss if isinstance(loss, tuple) else (loss,)
        return torch.stack([part.squeeze() for part in parts]).sum()  # some have one dimension

    def _examples(self, batch: Batch) -> dict[str, Tensor]:
        """Return the batch in RecBole's layout: all queries with their first negative, then with their second, …"""
        kind = self.traits.examples or {"PAIRWISE": "pairs", "POINTWISE": "points"}[self.source.input_type.name]
        if kind == "users":
            return {USER: batch.user.unique() + 1}
        assert batch.negatives is not None, "RecBole's losses compare with negatives"
        users, items, negatives = batch.user + 1, batch.positives[:, 0] + 1, batch.negatives.T.flatten() + 1
        n = batch.negatives.shape[1]
        self.inner.neg_seq_len = n  # SimpleX reshapes the negatives by it
        if kind == "pairs":
            return {USER: users.repeat(n), ITEM: items.repeat(n), NEGATIVE: negatives}
        labels = torch.cat([torch.ones(len(users)), torch.zeros(len(negatives))]).to(users.device)
        examples = {USER: users.repeat(n + 1), ITEM: torch.cat([items, negatives]), LABEL: labels}
        if self.ratings is not None:
            examples[RATING] = self.ratings.to(users.device)[batch.rows[:, 0]].repeat(n + 1)
        return examples

    def score(self, batch: Batch) -> Scorer:
        users = batch.user + 1
        if self.traits.vectors is not None:
            queries, items = self._vectors()
            return Vectors(torch.nn.functional.embedding(users, queries), items[1:])
        if self.traits.examples == "users":
            return TableScorer(self._table(users))
        return PairScorer(users, self.n_items, self._pairs, self._table if self.full_sort else None)

    def _vectors(self) -> tuple[Tensor, Tensor]:
        if self._ready is not None:
            return self._ready
        assert self.traits.vectors is not None
        with inside(self.training):
            vectors = self.traits.vectors(self.inner)
        if not self.training and not torch.is_grad_enabled():
            self._ready = vectors
        return vectors

    def _table(self, users: Int[Tensor, "Q"]) -> Float[Tensor, "Q I"]:
        with inside(self.training):
            scores: Tensor = self.inner.full_sort_predict({USER: users})
        return scores.view(len(users), -1)[:, 1:]

    def _pairs(self, users: Int[Tensor, "C"], items: Int[Tensor, "C"]) -> Float[Tensor, "C"]:
        with inside(self.training):
            scores: Tensor = self.inner.predict({USER: users, ITEM: items + 1})
        return scores

    def regularised(self, batch: Batch) -> tuple[Touched, ...]:
        tables = [(name, table) for name, table in self.inner.named_children() if isinstance(table, nn.Embedding)]
        users = [table for name, table in tables if name.startswith("user") and len(table.weight) == self.inner.n_users]
        items = [table for name, table in tables if name.startswith("item") and len(table.weight) == self.inner.n_items]
        if not users and not items:
            name = self.source.__name__
            raise TrainingError(f"recbole/{name} has no embeddings of users or items; set train.l2=0")
        parts = (batch.positives,) if batch.negatives is None else (batch.positives, batch.negatives)
        return (
            *((table.weight, batch.user + 1) for table in users),
            *((table.weight, part + 1) for part in parts for table in items),
        )

    @torch.no_grad()
    def fold_in(self, histories: Sequence[np.ndarray]) -> Scorer:
        """Score unknown users by ridge regression on item vectors, or by the model's encoder; other models cannot.

        Raises:
            RunError: the model has parameters of each user and no item vectors.
        """
        if self.traits.vectors is not None:
            users, items = (part[1:] for part in self._vectors())
            return Vectors(ridge_fold_in(items, histories, users.norm(dim=1).median()), items)
        if not self.traits.encoder:
            raise RunError(
                f"recbole/{self.source.__name__} cannot score unknown users; ask for users of the training data, "
                f"or train a model that can (lightgcn, ease, recbole/MultiVAE)"
            )
        lists = [torch.from_numpy(items.astype(np.int64) + 1) for items in histories]
        with inside(self.training):  # one thread at a time: the model's own histories are replaced meanwhile
            known = self.inner.history_item_id, self.inner.history_item_value
            padded = nn.utils.rnn.pad_sequence(lists, batch_first=True).to(known[0].device)
            self.inner.history_item_id, self.inner.history_item_value = padded, (padded > 0).to(known[1])
            try:
                return TableScorer(self._table(torch.arange(len(lists), device=padded.device)))
            finally:
                self.inner.history_item_id, self.inner.history_item_value = known

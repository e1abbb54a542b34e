"""A training mini-batch."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A mini-batch of Q queries, each with P positives and N negatives.

    Attributes:
        user: user index of each query.
        positives: candidate positives; P is 1 unless a denoiser selects among them.
        negatives: items other than the user's training positives (or other than the query's positive, depending on
            the sampler), one row per query or one row shared by all queries; None for losses over all items.
        rows: row of each positive in the training interactions.
        history: item indices of the earlier interactions, padded on the left (``data.histories``), for sequence
            models; None for other models.
        at: position of each query's vector among the H · T positions of ``history``; None: query q is
            at the last position of history q.
        false_negatives: mask of sampled negatives to ignore: items the user has interacted with, or the query's own
            positive. None: nothing is masked.
        pools: queries of this batch among which a denoiser selects, if each candidate has a separate query vector
            (and P is 1): the positions of a history. None: the columns of ``positives`` are the candidates.
    """

    user: Int[Tensor, "Q"]
    positives: Int[Tensor, "Q P"]
    negatives: Int[Tensor, "_ N"] | None
    rows: Int[Tensor, "Q P"]
    history: Int[Tensor, "H T"] | None = None
    at: Int[Tensor, "Q"] | None = None
    false_negatives: Bool[Tensor, "Q N"] | None = None
    pools: Int[Tensor, "G M"] | None = None

    def __len__(self) -> int:
        return len(self.user)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device; tensors are copied only if necessary."""
        moved: dict[str, Any] = {
            field.name: None if (column := getattr(self, field.name)) is None else column.to(device, non_blocking=True)
            for field in fields(self)
        }
        return Batch(**moved)

    def pooled(self, values: Shaped[Tensor, "Q P"]) -> Shaped[Tensor, "_ _"]:
        """Values of the candidates in the layout of denoisers, one pool per row: (Q, P), or (G, M) with ``pools``."""
        return values if self.pools is None else values[:, 0][self.pools]

    def take(self, columns: Int[Tensor, "Q S"]) -> "Batch":
        """Return the batch with only the given candidates (columns of the pool) as positives."""
        return replace(self, positives=self.positives.gather(1, columns), rows=self.rows.gather(1, columns))

    def of_queries(self, queries: Int[Tensor, "_"]) -> "Batch":
        """Return the batch of some queries, without histories, for computing their losses."""
        negatives = self.negatives
        if negatives is not None and len(negatives) > 1:
            negatives = negatives[queries]
        false = None if self.false_negatives is None else self.false_negatives[queries]
        return Batch(self.user[queries], self.positives[queries], negatives, self.rows[queries], false_negatives=false)

    @classmethod
    def of_users(cls, user: Int[Tensor, "Q"], history: Int[Tensor, "Q T"] | None = None) -> "Batch":
        """Return queries without positives or negatives (P = 0), as used in ranking and serving."""
        none = user.new_empty((len(user), 0))
        return cls(user=user, positives=none, negatives=None, rows=none, history=history)

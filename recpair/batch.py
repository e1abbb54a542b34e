"""One training step's worth of comparisons."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """The pairs that a step compares: Q queries, each with P positives and N negatives.

    Attributes:
        user: index of each query's user.
        positives: candidate positives; P is 1 unless a denoiser chooses among them.
        negatives: items that are no training positive of the user (or only not the query's, as the sampler says), a row
            per query, or one row that all queries share; None for losses over all items.
        rows: for each positive, its row in the training interactions.
        history: item indices of the earlier interactions, padded on the left (``data.histories``), for sequence
            models; None for the others.
        at: for each query, the place of its vector among the H · T places of ``history``; None: query q is
            the last place of history q.
        false_negatives: mask of sampled negatives to ignore: items the user has interacted with, or the query's own
            positive. None: nothing is masked.
        pools: queries of this batch among which a denoiser chooses, where every candidate has a vector of its own
            (and P is 1): the places of a history. None: the columns of ``positives`` are the candidates.
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
        """The same batch on another device; a copy only where one is needed."""
        moved: dict[str, Any] = {
            field.name: None if (column := getattr(self, field.name)) is None else column.to(device, non_blocking=True)
            for field in fields(self)
        }
        return Batch(**moved)

    def pooled(self, values: Shaped[Tensor, "Q P"]) -> Shaped[Tensor, "_ _"]:
        """Values of the candidates as a denoiser sees them, a pool a row: (Q, P), or (G, M) where there are ``pools``."""
        return values if self.pools is None else values[:, 0][self.pools]

    def take(self, columns: Int[Tensor, "Q S"]) -> "Batch":
        """The batch with only the given candidates (columns of the pool) as positives."""
        return replace(self, positives=self.positives.gather(1, columns), rows=self.rows.gather(1, columns))

    def of_queries(self, queries: Int[Tensor, "_"]) -> "Batch":
        """Some of the queries, without their histories: what their losses are made of."""
        negatives = self.negatives
        if negatives is not None and len(negatives) > 1:
            negatives = negatives[queries]
        false = None if self.false_negatives is None else self.false_negatives[queries]
        return Batch(self.user[queries], self.positives[queries], negatives, self.rows[queries], false_negatives=false)

    @classmethod
    def of_users(cls, user: Int[Tensor, "Q"], history: Int[Tensor, "Q T"] | None = None) -> "Batch":
        """Queries with nothing to compare (P = 0): what ranking and serving ask a model with."""
        none = user.new_empty((len(user), 0))
        return cls(user=user, positives=none, negatives=None, rows=none, history=history)

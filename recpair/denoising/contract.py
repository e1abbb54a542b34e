"""Interface of denoisers, which select and weight the candidates of a batch by their losses."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Pool:
    """Input of a denoiser for one batch, without gradients.

    Attributes:
        losses: loss of each candidate, in nats. If the loss is a sum over the positive and its negatives
            (BCE), only the positive's part.
        rows: rows of the candidates in the training interactions.
        epoch: the epoch, from 1.
        negative_losses: loss of each negative if the loss is such a sum, else None.
    """

    losses: Float[Tensor, "Q P"]
    rows: Int[Tensor, "Q P"]
    epoch: int
    negative_losses: Float[Tensor, "Q N"] | None = None


@dataclass(frozen=True)
class Choice:
    """Output of a denoiser for one batch.

    Attributes:
        columns: the selected candidates of each query (columns of the pool).
        weights: weight of each selected candidate; None means one.
        negative_weights: weight of each negative, if the loss is a sum over them.
        relabelled: candidates trained as negatives, if the loss is such a sum.
        stats: values to log, by name.
    """

    columns: Int[Tensor, "Q S"]
    weights: Float[Tensor, "Q S"] | None = None
    negative_weights: Float[Tensor, "Q N"] | None = None
    relabelled: Bool[Tensor, "Q S"] | None = None
    stats: dict[str, Float[Tensor, ""]] = field(default_factory=dict)


@runtime_checkable
class Denoiser(Protocol):
    """Selects or weights the candidate positives, without access to the model.

    Constructed as ``Denoiser(n_events, *, …options)`` with the number of training interactions. A denoiser with
    per-interaction state is a torch module and keeps the state in buffers, so that checkpoints include it. Buffers
    are sums over visits: at the end of an epoch, the increments of all ranks are added up.

    Attributes:
        candidates: P, the number of candidate positives per query.
        start_epoch: the number of plain epochs before the denoiser acts (early losses are uninformative).
    """

    candidates: int
    start_epoch: int

    def choose(self, pool: Pool) -> Choice:
        """Select and weight the candidates of a pool by their losses."""
        ...

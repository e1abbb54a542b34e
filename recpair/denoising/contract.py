"""What a denoiser is: it looks at losses, and says which candidates train and how much they count."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Pool:
    """What a denoiser sees of a batch; nothing in it carries a gradient.

    Attributes:
        losses: of every candidate, in nats. Where the loss is a sum over the positive and its negatives
            (BCE), the positive's part alone.
        rows: the candidates' rows among the training interactions.
        epoch: from 1.
        negative_losses: of each negative, where the loss is such a sum; else None.
    """

    losses: Float[Tensor, "Q P"]
    rows: Int[Tensor, "Q P"]
    epoch: int
    negative_losses: Float[Tensor, "Q N"] | None = None


@dataclass(frozen=True)
class Choice:
    """A denoiser's answer for one batch.

    Attributes:
        columns: for each query, the candidates (columns of the pool) that are trained on.
        weights: how much each of them counts; None means one.
        negative_weights: how much each negative counts, where the loss is a sum over them.
        relabelled: candidates that train as negatives, where the loss is such a sum.
        stats: what is worth a line in the log, by name.
    """

    columns: Int[Tensor, "Q S"]
    weights: Float[Tensor, "Q S"] | None = None
    negative_weights: Float[Tensor, "Q N"] | None = None
    relabelled: Bool[Tensor, "Q S"] | None = None
    stats: dict[str, Float[Tensor, ""]] = field(default_factory=dict)


@runtime_checkable
class Denoiser(Protocol):
    """Chooses among or weighs the candidate positives; never sees the model.

    Made as ``Denoiser(n_events, *, …options)`` with the number of training interactions. One that remembers
    something of each of them is a torch module and keeps it in buffers, so that checkpoints hold it. Buffers are
    sums over visits: at the end of an epoch, what several processes have added to them is added up.

    Attributes:
        candidates: P, the positives that it wants to see per query.
        start_epoch: the number of plain epochs before it acts (losses say nothing at first).
    """

    candidates: int
    start_epoch: int

    def choose(self, pool: Pool) -> Choice:
        """Decide on a pool by its losses."""
        ...

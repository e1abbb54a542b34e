"""What a denoiser is: it looks at losses, and says which candidates train and how much they count."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Choice:
    """A denoiser's answer for one batch.

    Attributes:
        columns: for each query, the candidates (columns of the pool) that are trained on.
        weights: how much each of them counts; None means one.
        stats: what is worth a line in the log, by name.
    """

    columns: Int[Tensor, "Q S"]
    weights: Float[Tensor, "Q S"] | None = None
    stats: dict[str, Float[Tensor, ""]] = field(default_factory=dict)


@runtime_checkable
class Denoiser(Protocol):
    """Chooses among or weighs the candidate positives; never sees the model.

    Attributes:
        candidates: P, the positives that it wants to see per query.
        start_epoch: the number of plain epochs before it acts (losses say nothing at first).
    """

    candidates: int
    start_epoch: int

    def choose(self, losses: Float[Tensor, "Q P"]) -> Choice:
        """Decide on a pool by its losses (nats, no gradient)."""
        ...

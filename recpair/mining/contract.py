"""What a miner is: it chooses the negatives that train among candidates."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Miner(Protocol):
    """Chooses on axis N as a denoiser chooses on axis P; never sees the model.

    Attributes:
        candidates: M, the candidates that it wants to see for each negative.
    """

    candidates: int

    def choose(self, scores: Float[Tensor, "Q C"]) -> Int[Tensor, "Q N"]:
        """Columns of the chosen negatives, from the scores of C = N · M candidates, M after M."""
        ...

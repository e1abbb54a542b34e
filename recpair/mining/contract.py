"""Interface of miners, which select the training negatives among candidates."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Miner(Protocol):
    """Selects on axis N as a denoiser selects on axis P, without access to the model.

    Attributes:
        candidates: M, the number of candidates for each negative.
    """

    candidates: int

    def choose(self, scores: Float[Tensor, "Q C"]) -> Int[Tensor, "Q N"]:
        """Return the columns of the selected negatives, given the scores of C = N · M candidates in groups of M."""
        ...

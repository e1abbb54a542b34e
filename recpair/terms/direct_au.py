"""DirectAU: alignment and uniformity of users and items."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.models.sphere import alignment, uniformity
from recpair.terms.contract import Term


class DirectAU(Term):
    """alignment(q, p) + γ · (uniformity(q) + uniformity(p)) / 2, on the unit sphere.

    Source: Wang et al., Towards Representation Alignment and Uniformity in Collaborative Filtering (KDD 2022), equation
    6, where it is the whole loss (``loss: none``). Only the first positive of a query is used.
    """

    def __init__(self, *, gamma: Annotated[float, Field(ge=0)] = 1.0) -> None:
        """
        Args:
            gamma: weight of the uniformity, relative to the alignment; 0.2 to 10 in the paper.
        """
        super().__init__()
        self.gamma = gamma

    def forward(self, queries: Float[Tensor, "Q D"], positive_vectors: Float[Tensor, "Q P D"]) -> Float[Tensor, ""]:
        positives = positive_vectors[:, 0]
        spread = (uniformity(queries) + uniformity(positives)) / 2
        return alignment(queries, positives) + self.gamma * spread

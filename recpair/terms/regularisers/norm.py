"""Penalty on the distance of vector norms from a target."""

from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from recpair.terms.contract import Term


class Norm(Term):
    """Mean of (‖q‖ − r)² over the queries plus that over their positives: keeps vectors near the sphere of radius r.

    Unlike L2, it does not shrink vectors to zero. Source: ring loss (Zheng et al., CVPR 2018), equation 2. Deviation:
    the radius is a hyperparameter, not learned.
    """

    def __init__(self, *, radius: Annotated[float, Field(ge=0)] = 1.0) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, queries: Float[Tensor, "Q D"], positive_vectors: Float[Tensor, "Q P D"]) -> Float[Tensor, ""]:
        return self._distance(queries) + self._distance(positive_vectors)

    def _distance(self, vectors: Tensor) -> Float[Tensor, ""]:
        distance: Tensor = vectors.norm(dim=-1) - self.radius
        return distance.square().mean()

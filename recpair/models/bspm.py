"""BSPM: blurring and sharpening of the interactions over the item–item graph."""

from math import factorial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.models.graph_filter import GraphFilter

Solver = Literal["rk4", "euler"]
Final = Literal["sharpened", "mean"]


class BSPM(GraphFilter):
    """Blurred and then sharpened scores: y(T) of dy/dt = −y P from y(0) = r_u P + α · r_u D_I^−½ V Vᵀ D_I^½.

    r_u (I,), P and V (I, k) are those of GF-CF, which is the case T = 0. One step of the solver is a polynomial:
    y(T) = y(0) Σ_{n ≤ N} (−T)ⁿ/n! · Pⁿ, N = 4 for the classical Runge–Kutta method (rk4) and 1 for Euler's method. At
    large T it is far from the exact solution, as in the authors' code. k is at most ``max_share`` · min(U, I), and
    the rank of R̃.

    Scores are computed for blocks of users by 2N + 2 products with R̃. Memory: 2 · I · k numbers, and 64 · (2U + I)
    while scoring.

    Source: Choi et al., Blurring-Sharpening Process Models for Collaborative Filtering, SIGIR 2023. The authors
    use k 448, T 2.5 for Gowalla, and k 384, T 1.2, ``solver: euler``, ``final: mean`` for Yelp2018. Deviations: singular
    vectors by a randomised method with 5 power iterations; the default k and ``max_share`` suit smaller data.

    Args:
        k: number of singular vectors.
        max_share: upper bound of k as a share of min(U, I): near full rank, the low-pass filter reproduces the history.
        alpha: α, weight of the low-pass filter.
        sharpening: T, the time of sharpening.
        solver: method of the one step.
        final: the scores: y(T), or the mean of y(T) and r_u P.
    """

    def __init__(
        self,
        interactions: Interactions,
        *,
        k: Annotated[int, Field(gt=0)] = 64,
        max_share: Annotated[float, Field(gt=0, le=1)] = 0.0625,
        alpha: Annotated[float, Field(ge=0)] = 0.2,
        sharpening: Annotated[float, Field(ge=0)] = 1.2,
        solver: Solver = "rk4",
        final: Final = "sharpened",
    ) -> None:
        super().__init__(interactions, k, alpha, max_share)
        self.sharpening, self.solver, self.final = sharpening, solver, final

    def polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        order = 4 if self.solver == "rk4" else 1
        step = np.array([(-self.sharpening) ** n / factorial(n) for n in range(order + 1)])
        if self.final == "sharpened":
            return step, step
        one = np.eye(1, order + 1)[0]
        return (one + step) / 2, step / 2

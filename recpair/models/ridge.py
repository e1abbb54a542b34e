"""Ridge regression of item vectors on item features, with the strength chosen by leave-one-out cross-validation."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recpair.models.blas import one_thread

STRENGTHS = np.logspace(-4, 3, 15)  # relative to the mean eigenvalue


@dataclass(frozen=True, eq=False)
class Ridge:
    """Linear map of features (F) to vectors (D), v = mean_v + (x − mean_x) W.

    Attributes:
        strength: λ, the best of the candidates.
        held_out: predictions for each item of the fit by the map fitted without it.
        r2: 1 − Σ‖v − held_out‖² / Σ‖v − mean without the item‖²: 0 for a map that knows the mean only.
    """

    weights: Float[np.ndarray, "F D"]
    mean_x: Float[np.ndarray, "F"]
    mean_v: Float[np.ndarray, "D"]
    strength: float
    held_out: Float[np.ndarray, "_ D"]
    r2: float

    def predict(self, features: Float[np.ndarray, "_ F"]) -> Float[np.ndarray, "_ D"]:
        """Return the vectors of items."""
        with one_thread():
            predicted: np.ndarray = self.mean_v + (features - self.mean_x) @ self.weights
        return predicted.astype(np.float32)


def fit_ridge(features: Float[np.ndarray, "_ F"], vectors: Float[np.ndarray, "_ D"]) -> Ridge:
    """Minimise Σ‖v − ṽ‖² + λ‖W‖², with λ the strength of the smallest leave-one-out error.

    The strengths are 10⁻⁴ … 10³ times the mean eigenvalue of the centred XᵀX. With its eigenvectors Q and eigenvalues e,
    the predictions of all strengths are ZD(λ)ZᵀV, Z = XQ, D = diag(1/(e + λ)), and the leave-one-out residual of an item
    is its residual divided by 1 − h, h = zᵀD(λ)z + 1/n (Allen's PRESS, 1974). Cost: O(n F² + F³).
    """
    x, v = features.astype(np.float64), vectors.astype(np.float64)
    mean_x, mean_v = x.mean(axis=0), v.mean(axis=0)
    x, v, n = x - mean_x, v - mean_v, len(x)
    with one_thread():
        values, turn = np.linalg.eigh(x.T @ x)
        z = x @ turn
        targets, squares = z.T @ v, z * z
        scale = float(values.mean()) if len(values) and values.mean() > 1e-30 else 1.0
        best, error = None, np.inf
        for strength in STRENGTHS * scale:
            inverse = 1 / (np.maximum(values, 0) + strength)
            leverage = np.minimum(squares @ inverse + 1 / n, 1 - 1e-9)
            residual = (v - z @ (inverse[:, None] * targets)) / (1 - leverage)[:, None]
            if (total := float((residual**2).sum())) < error:
                best, error = (strength, inverse, residual), total
        assert best is not None, "vectors are finite"
        strength, inverse, residual = best
        weights = turn @ (inverse[:, None] * targets)
    of_mean = float((v**2).sum()) * (n / max(n - 1, 1)) ** 2
    held_out = (v - residual + mean_v).astype(np.float32)
    return Ridge(weights, mean_x, mean_v, float(strength), held_out, 1 - error / of_mean if of_mean > 0 else 0.0)

"""Ridge regression against scikit-learn and a naive loop."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference
from sklearn.linear_model import RidgeCV

from recpair.models.ridge import STRENGTHS, fit_ridge


def problem(n=60, f=12, d=5, noise=0.5, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, f)) * generator.uniform(0.1, 2, f) + generator.normal(size=f)
    v = x @ generator.normal(size=(f, d)) + noise * generator.normal(size=(n, d)) + 3
    return x, v


@pytest.mark.parametrize("noise", [0.01, 1.0, 30.0])
def test_strength_weights_and_predictions_are_those_of_scikit_learn(noise):
    x, v = problem(noise=noise)
    found = fit_ridge(x, v)
    scale = np.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0))).mean()
    reference = RidgeCV(STRENGTHS * scale).fit(x, v)
    assert found.strength == pytest.approx(reference.alpha_)
    np.testing.assert_allclose(found.weights.T, reference.coef_, rtol=1e-6, atol=1e-9)
    new = np.random.default_rng(1).normal(size=(7, 12))
    np.testing.assert_allclose(found.predict(new), reference.predict(new), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("n", "f"), [(30, 5), (12, 40)])
def test_held_out_predictions_are_those_of_fits_without_the_item(n, f):
    x, v = problem(n, f)
    found = fit_ridge(x, v)
    naive, means = np.empty_like(v), np.empty_like(v)
    for i in range(n):
        rest = np.arange(n) != i
        naive[i] = Reference(found.strength).fit(x[rest], v[rest]).predict(x[i : i + 1])
        means[i] = v[rest].mean(0)
    np.testing.assert_allclose(found.held_out, naive, rtol=1e-4, atol=1e-4)
    assert found.r2 == pytest.approx(1 - ((v - naive) ** 2).sum() / ((v - means) ** 2).sum(), rel=1e-6)


def test_features_without_information_predict_the_mean():
    _, v = problem()
    found = fit_ridge(np.ones((60, 3)), v)
    np.testing.assert_allclose(found.predict(np.ones((2, 3))), np.stack([v.mean(0)] * 2), rtol=1e-6)
    assert found.r2 == pytest.approx(0, abs=1e-9)

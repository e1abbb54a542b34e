"""Collaborative models fitted without a loss: golden numbers, dense matrices, and invariance to the order of ids."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.models.bspm import BSPM
from recpair.models.gf_cf import GFCF
from recpair.seeds import isolated


def interactions(matrix) -> Interactions:
    user, item = np.nonzero(matrix)
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(*matrix.shape))


def random_matrix(n_users, n_items, seed=0, density=0.25):
    """A binary matrix with an item and a user without interactions."""
    matrix = (np.random.default_rng(seed).random((n_users, n_items)) < density).astype(float)
    matrix[1], matrix[:, 2] = 0, 0
    return matrix


def scores_of(kind, matrix, dtype=torch.float64, **options):
    train = interactions(matrix)
    with isolated(0):
        model = kind(train, **options).to(dtype)
        model.fit(train)
    return model.score(Batch.of_users(torch.arange(len(matrix)))).catalogue().numpy()


def normalised(matrix):
    """R̃ by dense matrices; users and items without interactions have rows and columns of 0."""
    scale = [1 / np.sqrt(np.maximum(matrix.sum(axis), 1)) for axis in (1, 0)]
    return scale[0][:, None] * matrix * scale[1]


def low_pass(matrix, k):
    """D_I^−½ V Vᵀ D_I^½ by a dense SVD."""
    _, values, right = np.linalg.svd(normalised(matrix), full_matrices=False)
    v = right[: min(k, (values > 1e-10).sum())].T
    roots = np.sqrt(np.maximum(matrix.sum(0), 1))
    return (v @ v.T) / roots[:, None] * roots


@pytest.mark.parametrize(
    ("kind", "key", "options"),
    [
        (GFCF, "gf_cf", {"k": 2, "alpha": 0.3}),
        (BSPM, "bspm", {"k": 2, "alpha": 0.2, "sharpening": 2.5}),
        (BSPM, "bspm_euler", {"k": 2, "alpha": 0.2, "sharpening": 1.2, "solver": "euler", "final": "mean"}),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_golden_numbers(golden, kind, key, options, dtype, tolerance):
    numbers = golden("linear")
    found = scores_of(kind, np.array(numbers["R"]), dtype, **options)
    np.testing.assert_allclose(found, numbers[key], atol=tolerance)


def test_gf_cf_without_the_low_pass_filter_is_the_linear_filter():
    matrix = random_matrix(9, 13)
    users, items = (np.diag(1 / np.maximum(matrix.sum(axis), 1)) for axis in (1, 0))
    expected = matrix @ np.sqrt(items) @ matrix.T @ users @ matrix @ np.sqrt(items)
    np.testing.assert_allclose(scores_of(GFCF, matrix, alpha=0.0), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(9, 13), (90, 13), (12, 90)])
@pytest.mark.parametrize("k", [3, 200])
def test_gf_cf_equals_dense_matrices(shape, k):
    """More singular vectors than users, items or the rank are capped; 90 queries are more than one block."""
    matrix = random_matrix(*shape)
    p = normalised(matrix).T @ normalised(matrix)
    expected = matrix @ (p + 0.3 * low_pass(matrix, k))
    np.testing.assert_allclose(scores_of(GFCF, matrix, k=k), expected, atol=1e-10)


def test_bspm_without_sharpening_is_gf_cf():
    matrix = random_matrix(20, 15)
    expected = scores_of(GFCF, matrix, k=5, alpha=0.4)
    for solver in ("rk4", "euler"):
        found = scores_of(BSPM, matrix, k=5, alpha=0.4, sharpening=0.0, solver=solver)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.floats(0, 5), st.sampled_from(["rk4", "euler"]), st.sampled_from(["sharpened", "mean"]))
def test_bspm_equals_the_dense_polynomial(time, solver, final):
    matrix = random_matrix(8, 11)
    p = normalised(matrix).T @ normalised(matrix)
    blurred = matrix @ p
    y = start = blurred + 0.2 * matrix @ low_pass(matrix, 4)
    power = start
    for n in range(1, 5 if solver == "rk4" else 2):
        power = -time / n * power @ p
        y = y + power
    expected = y if final == "sharpened" else (blurred + y) / 2
    found = scores_of(BSPM, matrix, k=4, sharpening=time, solver=solver, final=final)
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=1e-10)


def test_bspm_approximates_the_exponential_for_a_short_time():
    matrix = random_matrix(20, 15)
    p = normalised(matrix).T @ normalised(matrix)
    start = matrix @ (p + 0.2 * low_pass(matrix, 4))
    expected = start @ scipy.linalg.expm(-0.1 * p)
    np.testing.assert_allclose(scores_of(BSPM, matrix, k=4, sharpening=0.1), expected, atol=1e-7)


KINDS = {GFCF: {"k": 6}, BSPM: {"k": 6}}


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_the_order_of_users_and_items(kind):
    matrix = random_matrix(12, 14)
    generator = np.random.default_rng(1)
    rows, columns = generator.permutation(12), generator.permutation(14)
    found = scores_of(kind, matrix[rows][:, columns], **KINDS[kind])
    np.testing.assert_allclose(found, scores_of(kind, matrix, **KINDS[kind])[rows][:, columns], atol=1e-5)

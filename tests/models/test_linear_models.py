"""Collaborative models fitted without a loss: golden numbers, dense matrices, and invariance to the order of ids."""

import numba
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp
import scipy.sparse.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import TrainingError
from recpair.models import MODELS, kernels, slim
from recpair.models.bspm import BSPM
from recpair.models.ease import EASE
from recpair.models.gf_cf import GFCF
from recpair.models.ials import IALS
from recpair.models.rp3beta import RP3Beta
from recpair.models.sansa import SANSA
from recpair.models.slim import SLIM
from recpair.models.sparse import gram
from recpair.models.sparse.graph import Graph
from recpair.models.sparse.svd import right_singular_vectors
from recpair.models.turbo_cf import TurboCF
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
        (GFCF, "gf_cf", {"k": 2, "max_share": 1.0, "alpha": 0.3}),
        (BSPM, "bspm", {"k": 2, "max_share": 1.0, "alpha": 0.2, "sharpening": 2.5}),
        (
            BSPM,
            "bspm_euler",
            {"k": 2, "max_share": 1.0, "alpha": 0.2, "sharpening": 1.2, "solver": "euler", "final": "mean"},
        ),
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
    np.testing.assert_allclose(scores_of(GFCF, matrix, k=k, max_share=1.0), expected, atol=1e-10)


def test_singular_vectors_of_more_users_and_items_than_the_iteration_holds():
    """Four groups of users and items with a little noise: a spectrum with a gap after the fourth value."""
    matrix = np.kron(np.eye(4), np.ones((50, 30)))
    matrix = np.where(np.random.default_rng(0).random(matrix.shape) < 0.1, 1 - matrix, matrix)
    for each in (matrix, matrix.T):  # more users than items, and fewer
        with isolated(0):
            found = right_singular_vectors(Graph(interactions(each)), 4, torch.float64).numpy()
        expected = np.linalg.svd(normalised(each))[2][:4].T
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)


def test_bspm_without_sharpening_is_gf_cf():
    matrix = random_matrix(20, 15)
    expected = scores_of(GFCF, matrix, k=5, max_share=1.0, alpha=0.4)
    for solver in ("rk4", "euler"):
        found = scores_of(BSPM, matrix, k=5, max_share=1.0, alpha=0.4, sharpening=0.0, solver=solver)
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
    found = scores_of(BSPM, matrix, k=4, max_share=1.0, sharpening=time, solver=solver, final=final)
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=1e-10)


def test_bspm_approximates_the_exponential_for_a_short_time():
    matrix = random_matrix(20, 15)
    p = normalised(matrix).T @ normalised(matrix)
    start = matrix @ (p + 0.2 * low_pass(matrix, 4))
    expected = start @ scipy.linalg.expm(-0.1 * p)
    np.testing.assert_allclose(scores_of(BSPM, matrix, k=4, max_share=1.0, sharpening=0.1), expected, atol=1e-7)


def test_rp3beta_golden_numbers(golden):
    numbers = golden("linear")
    found = scores_of(RP3Beta, np.array(numbers["R"]), alpha=0.8, beta=0.4)
    np.testing.assert_allclose(found, numbers["rp3beta"], rtol=1e-6)


def rp3beta_weights(matrix, alpha, beta):
    """W by dense matrices of transition probabilities."""
    to_users = (matrix / np.maximum(matrix.sum(0), 1)).T
    to_items = matrix / np.maximum(matrix.sum(1), 1)[:, None]
    return to_users**alpha @ to_items**alpha / np.maximum(matrix.sum(0), 1) ** beta


@pytest.mark.parametrize(("k", "alpha", "beta"), [(200, 1.0, 0.0), (200, 0.6, 0.9), (3, 0.6, 0.9)])
def test_rp3beta_equals_dense_matrices(k, alpha, beta):
    matrix = random_matrix(20, 15)
    weights = rp3beta_weights(matrix, alpha, beta)
    kept = np.zeros_like(weights)
    best = np.argsort(-weights, axis=1, kind="stable")[:, :k]
    np.put_along_axis(kept, best, np.take_along_axis(weights, best, axis=1), axis=1)
    lengths = np.maximum(matrix.sum(1), 1)[:, None]
    expected = (matrix / lengths**alpha) @ kept
    found = scores_of(RP3Beta, matrix, k=k, alpha=alpha, beta=beta)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["linear", "second_order", "third_order"])
@pytest.mark.parametrize(("alpha", "power"), [(0.5, 1.0), (0.6, 0.7)])
def test_turbo_cf_equals_a_loop_over_pairs_of_items(name, alpha, power):
    matrix = random_matrix(20, 15)
    of_users, of_items = np.maximum(matrix.sum(1), 1), np.maximum(matrix.sum(0), 1)
    p = np.zeros((15, 15))
    for i in range(15):
        for j in range(15):
            common = sum(of_users[u] ** (-2 * alpha) for u in range(20) if matrix[u, i] and matrix[u, j])
            p[i, j] = (common * (of_items[i] * of_items[j]) ** (alpha - 1)) ** power
    filtered = {
        "linear": p,
        "second_order": 2 * p - p @ p,
        "third_order": p + 0.01 * (-p @ p @ p + 10 * p @ p - 29 * p),
    }
    found = scores_of(TurboCF, matrix, alpha=alpha, power=power, filter=name)
    np.testing.assert_allclose(found, matrix @ filtered[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("l1", "l2"), [(0.5, 2.0), (1.0, 0.1), (2.0, 5.0), (0.0, 1.0)])
@pytest.mark.parametrize("slots", [30, 2**24])  # one column at a time, and all
def test_slim_equals_an_elastic_net_for_each_item(l1, l2, slots, monkeypatch):
    monkeypatch.setattr(slim, "SLOTS", slots)
    matrix = random_matrix(60, 15, density=0.4)
    train = interactions(matrix)
    model = SLIM(train, l1=l1, l2=l2, tolerance=1e-12, sweeps=100_000)
    model.fit(train)
    expected = np.zeros((15, 15))
    for item in range(15):
        others = np.delete(np.arange(15), item)
        alpha, share = (l1 + l2) / 60, l1 / (l1 + l2)
        net = ElasticNet(alpha=alpha, l1_ratio=share, fit_intercept=False, positive=True, tol=1e-12, max_iter=100_000)
        expected[others, item] = net.fit(matrix[:, others], matrix[:, item]).coef_ if l1 else ridge(matrix, item, l2)
    np.testing.assert_allclose(model.fold_in(list(np.arange(15)[:, None])).catalogue(), expected, atol=1e-6)
    assert (model.weights.values > 0).all()


def ridge(matrix, item, l2):
    """Non-negative ridge regression of an item on the others: least squares with √l2 · 1 below the matrix."""
    others = np.delete(matrix, item, axis=1)
    left = np.concatenate([others, np.sqrt(l2) * np.eye(others.shape[1])])
    return scipy.optimize.nnls(left, np.append(matrix[:, item], np.zeros(others.shape[1])))[0]


def test_slim_stops_at_the_tolerance_or_the_number_of_sweeps():
    train = interactions(random_matrix(60, 15, density=0.4))
    found = []
    for options in ({"tolerance": 1e-12}, {"tolerance": 1e-3}, {"sweeps": 1}):
        model = SLIM(train, l1=0.5, l2=2.0, **options)
        model.fit(train)
        found.append(model.fold_in(list(np.arange(15)[:, None])).catalogue())
    gaps = [(other - found[0]).abs().max().item() for other in found[1:]]
    assert 0 < gaps[0] < 1e-2 < gaps[1]


@pytest.mark.parametrize(("shape", "density"), [((20, 15), 0.001), ((60, 50), 1.0)])
def test_sansa_with_all_entries_is_ease(shape, density):
    """30 entries a row are always kept, so a small catalogue is exact at any density."""
    matrix = random_matrix(*shape)
    expected = scores_of(EASE, matrix, torch.float32, ridge=5.0)
    found = scores_of(SANSA, matrix, torch.float32, ridge=5.0, density=density)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_sansa_refuses_a_ridge_that_leaves_the_equations_singular():
    with pytest.raises(
        TrainingError, match=r"sansa: the equations of an item are singular; raise model.ridge \(1e-18\)"
    ):
        scores_of(SANSA, np.ones((20, 6)), torch.float32, ridge=1e-18)


def test_sansa_regresses_each_item_on_the_strongest_earlier_items():
    """W by a loop over items in order of popularity, with the normal equations of the kept ones."""
    matrix, ridge, n = random_matrix(80, 45), 5.0, 30
    order = np.argsort(-matrix.sum(0), kind="stable")
    a = matrix.T @ matrix + ridge * np.eye(45)
    w, variances = np.eye(45), np.zeros(45)
    for place, item in enumerate(order):
        earlier = order[:place]
        if place > n:
            strength = a[item, earlier] ** 2 / np.diag(a)[earlier]
            best = np.argsort(-strength, kind="stable")[:n]
            earlier = earlier[np.sort(best[strength[best] > 0])]
        kept = earlier
        w[item, kept] = -np.linalg.solve(a[np.ix_(kept, kept)], a[kept, item])
        variances[item] = w[item] @ a @ w[item]
    p = w.T @ np.diag(1 / variances) @ w
    expected = matrix @ (np.eye(45) - p / np.diag(p))
    np.testing.assert_allclose(scores_of(SANSA, matrix, ridge=ridge), expected, atol=1e-5)
    assert np.abs(scores_of(EASE, matrix, torch.float32, ridge=ridge) - expected).max() > 1e-3


def test_co_occurrences_that_are_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(gram, "MOST", 100)
    for kind in (TurboCF, SANSA):
        with pytest.raises(TrainingError, match=r"up to \d+ pairs of items with a common user, .* use model=gf_cf"):
            scores_of(kind, random_matrix(20, 15))


def test_damaged_sparse_weights_are_refused():
    """Kernels do not check indices, so the state dict is checked when it is loaded."""
    train = interactions(random_matrix(20, 15))
    model = TurboCF(train)
    model.fit(train)
    damaged = {
        "weights.indices": model.weights.indices.clone().fill_(15),
        "weights.indptr": model.weights.indptr.flip(0),
        "weights.values": model.weights.values[:-1],
    }
    for name, tensor in damaged.items():
        with pytest.raises(RuntimeError, match="is not a sparse matrix"):
            TurboCF(train).load_state_dict(model.state_dict() | {name: tensor})
    with pytest.raises(RuntimeError, match=r"Missing key.*values"):
        TurboCF(train).load_state_dict({n: t for n, t in model.state_dict().items() if n != "weights.values"})


def test_ials_by_conjugate_gradients_reaches_the_objective_of_exact_half_steps():
    matrix = random_matrix(30, 20)
    train, found = interactions(matrix), []
    for solver in ("cg", "exact"):
        with isolated(0):
            model = IALS(train, embedding_dim=6, weight=5.0, ridge=2.0, iterations=100, solver=solver)
        model.fit(train)
        users, items = model.user_vectors.numpy(), model.item_vectors.numpy()
        errors = (1 + 5 * matrix) * (matrix - users @ items.T) ** 2
        found.append(errors.sum() + 2 * ((users**2).sum() + (items**2).sum()))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_ials_known_users_are_scored_by_their_items():
    matrix = random_matrix(30, 20)
    train = interactions(matrix)
    model = IALS(train, embedding_dim=6, iterations=2)
    model.fit(train)
    expected = model.score(Batch.of_users(torch.arange(30))).catalogue()
    found = model.fold_in([np.flatnonzero(row) for row in matrix]).catalogue()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_conjugate_gradients_equal_scipy(steps):
    """The same number of steps from the same start; the matrix is symmetric positive definite."""
    generator = np.random.default_rng(0)
    fixed, start = generator.normal(size=(9, 5)), generator.normal(size=(1, 5))
    rows, values = np.array([1, 4, 7], np.int32), np.array([1.0, 2.0, 0.5])
    v, gram = fixed[rows], fixed.T @ fixed
    left = gram + 3 * (v.T * values) @ v + 0.7 * np.eye(5)
    right = (1 + 3 * values) @ v
    expected, _ = scipy.sparse.linalg.cg(left, right, x0=start[0], maxiter=steps, rtol=0)
    bounds, indptr = np.array([0, 1]), np.array([0, 3])
    kernels.approximate_least_squares(indptr, rows, values, fixed, gram, 3.0, 0.7, steps, bounds, start)
    np.testing.assert_allclose(start[0], expected, rtol=1e-10)


KINDS = {
    "gf_cf": {"k": 6, "max_share": 1.0},
    "bspm": {"k": 6, "max_share": 1.0},
    "rp3beta": {},
    "sansa": {},
    "slim": {"tolerance": 1e-9},
    "turbo_cf": {"power": 0.7},
}


@pytest.mark.parametrize("name", KINDS)
def test_scores_do_not_depend_on_the_order_of_users_and_items(name):
    kind, options, matrix = MODELS[name], KINDS[name], random_matrix(12, 14)
    generator = np.random.default_rng(1)
    rows, columns = generator.permutation(12), generator.permutation(14)
    found = scores_of(kind, matrix[rows][:, columns], **options)
    np.testing.assert_allclose(found, scores_of(kind, matrix, **options)[rows][:, columns], atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_a_history_is_scored_as_the_user_with_the_same_items(name):
    """Unknown users, the empty history included; the items of a history may be in any order."""
    matrix = random_matrix(12, 14)
    train = interactions(matrix)
    with isolated(0):
        model = MODELS[name](train, **KINDS[name])
    model.fit(train)
    histories = [np.flatnonzero(row)[::-1] for row in matrix]
    expected = model.score(Batch.of_users(torch.arange(12))).catalogue()
    torch.testing.assert_close(model.fold_in(histories).catalogue(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_scores_do_not_depend_on_the_number_of_threads_or_the_block(name):
    """Of 90 users at once, and of each one, on one thread and on all."""
    train = interactions(random_matrix(90, 40))
    with isolated(0):
        model = MODELS[name](train, **KINDS[name])
    model.fit(train)
    everyone, threads, found = Batch.of_users(torch.arange(90)), numba.get_num_threads(), []
    for n in (1, threads):
        numba.set_num_threads(n)
        try:
            found.append(model.score(everyone).catalogue())
        finally:
            numba.set_num_threads(threads)
    assert torch.equal(*found)
    single = torch.cat([model.score(Batch.of_users(torch.tensor([user]))).catalogue() for user in range(90)])
    torch.testing.assert_close(single, found[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", [GFCF, BSPM])
def test_the_number_of_singular_vectors_is_a_share_of_the_data_at_most(model):
    matrix = Interactions.from_scipy(sp.csr_matrix(np.ones((40, 64))))
    assert model(matrix, k=64).low.shape == (64, 2)
    assert model(matrix, k=64, max_share=0.5).low.shape == (64, 20)
    assert model(matrix, k=3, max_share=0.5).low.shape == (64, 3)
    assert model(matrix, k=64, max_share=0.001).low.shape == (64, 1)

"""Where embeddings start: drawn, or from the singular vectors of the interactions."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import recpair
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.models.init import singular_vectors, start_from_spectrum
from recpair.seeds import generator, isolated


@pytest.fixture
def interactions():
    """30 users × 20 items, a third taken; the last user and the last item have no event."""
    taken = np.random.default_rng(0).random((30, 20)) < 1 / 3
    taken[-1], taken[:, -1] = False, False
    user, item = np.nonzero(taken)
    vocabulary = Vocabulary.range(30, 20)
    return Interactions.from_indices(user, item, vocabulary=vocabulary)


def test_the_products_are_the_best_approximation_of_their_rank(interactions):
    """Oracle: numpy's dense decomposition, cut after four values (Eckart and Young)."""
    taken = interactions.to_scipy().toarray()
    scale = [1 / np.sqrt(np.maximum(taken.sum(axis), 1)) for axis in (1, 0)]
    left, values, right = np.linalg.svd(scale[0][:, None] * taken * scale[1])
    users, items = singular_vectors(interactions, 4)
    np.testing.assert_allclose(users @ items.T, (left[:, :4] * values[:4]) @ right[:4], atol=1e-5)
    np.testing.assert_allclose(users.norm(dim=0) ** 2, values[:4], rtol=1e-4)


def test_a_sample_of_the_users_gives_the_vectors_of_all(monkeypatch):
    """Oracle: the decomposition of the whole. Four groups of items, once exact and once with noise."""
    exact = np.kron(np.eye(4), np.ones((30, 5)))
    noisy = np.random.default_rng(0).random(exact.shape) < np.where(exact, 0.8, 0.05)
    for matrix, tolerance in ((exact, 1e-5), (noisy, 0.1)):
        user, item = np.nonzero(matrix)
        events = Interactions.from_indices(user, item, vocabulary=Vocabulary.range(120, 20))
        monkeypatch.setattr("recpair.models.init.MOST", 10**6)
        users, items = singular_vectors(events, 4)
        whole = users @ items.T
        monkeypatch.setattr("recpair.models.init.MOST", len(user) // 2)
        with isolated(0):
            users, items = singular_vectors(events, 4)
        assert (users.shape, items.shape) == ((120, 4), (20, 4))
        assert (users @ items.T - whole).norm() < tolerance * whole.norm()
        torch.testing.assert_close(users.norm(dim=0), items.norm(dim=0), rtol=0.2, atol=0.0)
        assert users.norm(dim=0).diff().max() <= 1e-5


def tables(interactions, start, dim=4, seed=0):
    users, items = nn.Embedding(30, dim), nn.Embedding(20, dim)
    with isolated(seed):
        for table in (users, items):
            nn.init.normal_(table.weight, std=0.1, generator=generator())
        if start == "spectral":
            start_from_spectrum(users, items, interactions, 0.1)
    return users.weight.detach(), items.weight.detach()


@pytest.mark.parametrize("start", ["normal", "spectral"])
@pytest.mark.parametrize("dim", [4, 64])
def test_the_scale_is_the_standard_deviation_and_nobody_starts_at_zero(interactions, start, dim):
    for table in tables(interactions, start, dim):
        wanted = 0.1 if start == "normal" or dim == 4 else 0.1 * (19 / 64) ** 0.5  # 19 vectors: there are 20 items
        assert table.square().mean().sqrt().item() == pytest.approx(wanted, rel=0.15)
        assert (table.norm(dim=1) > 0).all()


def test_the_same_seed_gives_the_same_start(interactions):
    for first, second in zip(tables(interactions, "spectral"), tables(interactions, "spectral"), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("model", ["mf", "lightgcn"])
def test_a_spectral_start_knows_the_checkerboard_after_one_epoch(model, checkerboard, quick):
    quick["model"] |= {"name": model, "init": "spectral"}
    quick["train"] |= {"epochs": 1, "learning_rate": 1e-6}
    run = recpair.fit(quick, data=checkerboard)
    assert run.metrics["test"]["hit@1"] == 1.0
    drawn = recpair.fit(quick, ["model.init=normal", f"output={quick['output']}-drawn"], data=checkerboard)
    assert drawn.metrics["test"]["hit@1"] < 0.5


def test_one_user_alone_starts_as_drawn():
    lonely = Interactions.from_indices(np.zeros(3, int), np.arange(3), vocabulary=Vocabulary.range(1, 20))
    assert [v.shape for v in singular_vectors(lonely, 4)] == [(1, 0), (20, 0)]


def test_a_run_that_is_loaded_does_not_start_again(checkerboard, quick, monkeypatch):
    quick["model"]["init"] = "spectral"
    run = recpair.fit(quick, data=checkerboard)
    monkeypatch.setattr("recpair.models.mf.start_from_spectrum", lambda *_: pytest.fail("computed again"))
    assert recpair.load(run.folder).recommend([0], k=3)["item_id"].equals(run.recommend([0], k=3)["item_id"])


def test_an_unknown_start_is_refused(checkerboard, quick):
    with pytest.raises(recpair.RecpairError, match=r"model\.init"):
        recpair.fit(quick, ["model.init=svd"], data=checkerboard.filter(pl.col("user_id") < 30))

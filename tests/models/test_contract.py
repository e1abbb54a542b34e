"""What every registered model owes, the checkerboard, and what is particular to some."""

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import RecpairError
from recpair.models import MODELS, GradientModel
from recpair.models.fold_in import ridge_fold_in
from recpair.models.mf import MF
from recpair.models.popularity import Popularity
from recpair.testing.models import checkerboard


@pytest.fixture
def timed():
    """The checkerboard with an event an hour, for models that need times."""
    return checkerboard()


@pytest.fixture
def train(timed):
    return Interactions.from_polars(timed.filter(timed["split"] == "train"))


def test_regularised_rows_are_those_of_the_batch(train):
    negatives, rows = torch.tensor([[1, 3], [0, 2]]), torch.zeros(2, 1).long()
    batch = Batch(
        torch.tensor([0, 1]), torch.tensor([[0], [1]]), negatives, rows, history=torch.tensor([[4, 2], [-1, 3]])
    )
    for kind in MODELS.values():
        if issubclass(kind, GradientModel):
            touched = kind(train).regularised(batch)
            assert {tuple(rows.shape) for _, rows in touched} == {(2,), (2, 1), (2, 2)}
            assert all(table.is_leaf and table.requires_grad and rows.max() < len(table) for table, rows in touched)


def test_mf_scores_are_inner_products(train):
    model = MF(train, embedding_dim=4)
    users, items = model.user_embedding.weight, model.item_embedding.weight
    expected = torch.stack([(users[7] * items[i]).sum() for i in range(40)])
    torch.testing.assert_close(model.score(Batch.of_users(torch.tensor([7]))).catalogue()[0], expected)


@pytest.mark.parametrize("name", ["popularity", "popular_recent"])
def test_popularity_cannot_tell_colours(name, timed, bare):
    assert recpair.fit(bare | {"model": name}, data=timed).metrics["test"]["hit@1"] < 0.5


def test_popularity_counts_users(train):
    model = Popularity(train)
    model.fit(train)
    expected = np.bincount(train.item, minlength=40)
    assert model.score(Batch.of_users(torch.tensor([0, 1]))).catalogue().tolist() == [expected.tolist()] * 2


def test_recent_popularity_counts_users_of_the_latest_days(train):
    """Events are an hour apart: two and a half days are the last 60 of them, and a window of all times gives popularity."""
    model = MODELS["popular_recent"](train, days=2.5)
    model.fit(train)
    late = train.time > train.time.max() - 60 * 3600 * train.clock.per_second
    assert 40 < late.sum() <= 60
    np.testing.assert_array_equal(model.counts, np.bincount(train.item[late], minlength=40))
    assert torch.equal(Popularity.fitted(train).counts, fitted(MODELS["popular_recent"](train, days=1e9), train).counts)


def fitted(model, train):
    model.fit(train)
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("timestamp"), "model.name: popular_recent needs a time column"),
        (lambda frame: frame.with_columns(timestamp=pl.arange(len(frame))), "model.days counts days, but the unit"),
    ],
)
def test_recent_popularity_needs_times_of_a_known_unit(change, message, timed, bare):
    with pytest.raises(RecpairError, match=message):
        recpair.fit(bare | {"model": "popular_recent"}, data=change(timed))


def test_fold_in_is_the_ridge_solution():
    """The direction solves (AᵀA + w·n/I·G + λ·t·n/I·1) u = Aᵀ1; the length is the one asked for."""
    items = torch.randn(30, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    history = np.array([3, 8, 20])
    vector = ridge_fold_in(items, [history], torch.tensor(2.0, dtype=torch.float64))[0]
    a, gram = items[history], items.T @ items
    left = a.T @ a + 0.1 * 3 / 30 * gram + torch.diagonal(gram).mean() * 3 / 30 * torch.eye(5, dtype=torch.float64)
    solution = torch.linalg.solve(left, a.sum(0))
    torch.testing.assert_close(vector, solution / solution.norm() * 2)
    assert ridge_fold_in(items, [np.empty(0, dtype=np.int64)], torch.tensor(2.0)).abs().sum() == 0


def test_fold_in_ranks_for_a_stranger_as_for_a_trained_user(checkerboard, quick):
    """A stranger with the items of user 0 gets the items of user 0's colour."""
    run = recpair.fit(quick, ["train.epochs=30"], data=checkerboard)
    frame = run.recommend(histories=[[0, 4, 6, 8, 10, 12]], k=10)
    assert (frame["item_id"] % 2 == 0).sum() >= 9

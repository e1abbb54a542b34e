"""Weights of events against naive loops; weights of 1 change no bit."""

import math

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.denoising import Choice
from recpair.experiment.loading import load_config
from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.models.ials import IALS
from recpair.models.item_knn import ItemKNN
from recpair.models.mf import MF
from recpair.seeds import isolated
from recpair.step import Tables
from recpair.training.objective import Objective


def interactions(weight=None, n_users=12, n_items=9, repeated=False):
    generator = np.random.default_rng(1)
    taken = generator.random((n_users, n_items)) < 0.4
    user, item = np.nonzero(taken)
    frame = pl.DataFrame({"user_id": user, "item_id": item})
    if repeated:
        frame = pl.concat([frame, frame.head(5)])
    if weight is not None:
        values = generator.choice([0.5, 1.0, 3.0], len(frame)) if weight == "random" else [weight] * len(frame)
        frame = frame.with_columns(weight=pl.Series(values))
    return Interactions.from_polars(frame, columns=None if weight is None else {"weight": "weight"})


class Fixed:
    """Chooses the last columns, with weights."""

    start_epoch = 0

    def __init__(self, candidates, kept):
        self.candidates, self.kept = candidates, kept

    def choose(self, pool):
        columns = torch.arange(pool.losses.shape[1] - self.kept, pool.losses.shape[1])
        columns = columns.expand(len(pool.losses), -1).contiguous()
        return Choice(columns, 1.0 + columns.float())


@pytest.mark.parametrize("loss", [bpr, bce])
@pytest.mark.parametrize(("candidates", "kept"), [(1, 0), (3, 1), (3, 2)])
def test_the_loss_is_the_weighted_mean_over_what_is_chosen(loss, candidates, kept):
    train = interactions("random")
    weight = torch.from_numpy(train.weight)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(train), (7, candidates), generator=generator)
    user = torch.from_numpy(train.user)[rows[:, 0]].long()
    positives, negatives = torch.from_numpy(train.item)[rows].long(), torch.randint(9, (7, 2), generator=generator)
    denoiser = Fixed(candidates, kept) if kept else None
    with isolated(0):
        objective = Objective(MF(train, embedding_dim=4), loss, denoiser, tables=Tables(weight=weight))
    found = objective(user, positives, negatives, rows, epoch=1)["recommendation"].item()
    u, i = objective.model.user_embedding.weight.detach(), objective.model.item_embedding.weight.detach()
    total = weights = 0.0
    for q in range(7):
        against = [float(u[user[q]] @ i[n]) for n in negatives[q]]
        for column in range(candidates - kept, candidates) if kept else [0]:
            score, w = float(u[user[q]] @ i[positives[q, column]]), float(weight[rows[q, column]])
            choice = 1.0 + column if kept else 1.0
            if loss is bpr:
                value = choice * sum(math.log1p(math.exp(n - score)) for n in against) / len(against)
            else:
                value = choice * math.log1p(math.exp(-score)) + sum(math.log1p(math.exp(n)) for n in against)
            total, weights = total + w * value, weights + w
    assert found == pytest.approx(total / weights, rel=1e-5)


def test_queries_in_pools_count_with_the_weights_of_their_own_events(checkerboard):
    """Two pools of three queries; the second candidate of each is chosen."""
    train = interactions("random")
    rows = torch.arange(6).unsqueeze(1)
    pools = torch.tensor([[0, 1, 2], [3, 4, 5]])
    user, positives = torch.from_numpy(train.user)[:6].long(), torch.from_numpy(train.item)[:6].long().unsqueeze(1)
    batch = {"user": user, "positives": positives, "negatives": torch.ones(6, 1, dtype=torch.long), "rows": rows}

    class Second(Fixed):
        def choose(self, pool):
            return Choice(torch.ones(len(pool.losses), 1, dtype=torch.long))

    weight = torch.from_numpy(train.weight)
    with isolated(0):
        objective = Objective(MF(train, embedding_dim=4), bpr, Second(3, 1), tables=Tables(weight=weight))
    found = objective(**batch, pools=pools, epoch=1)["recommendation"].item()
    chosen = [1, 4]
    scorer = objective.model.score(Batch(**batch))
    losses = bpr(scorer.of(positives), scorer.of(batch["negatives"]))[chosen, 0]
    assert found == pytest.approx(float((losses.detach() * weight[chosen]).sum() / weight[chosen].sum()), rel=1e-6)


def test_ials_solves_the_weighted_least_squares():
    train = interactions("random")
    with isolated(0):
        model = IALS(train, embedding_dim=3, weight=4.0, ridge=0.7, iterations=2)
    model.fit(train)
    items = model.item_vectors.numpy().astype(np.float64)
    for user in range(train.n_users):
        rows = slice(train.indptr[user], train.indptr[user + 1])
        confidence = np.ones(train.n_items)
        confidence[train.item[rows]] += 4.0 * train.weight[rows]
        taken = np.isin(np.arange(train.n_items), train.item[rows])
        left = items.T @ (confidence[:, None] * items) + 0.7 * np.eye(3)
        expected = np.linalg.solve(left, items.T @ (confidence * taken))
        np.testing.assert_allclose(model.user_vectors[user], expected, rtol=1e-4, atol=1e-5)


def test_item_knn_is_the_cosine_of_weighted_columns():
    train = interactions("random")
    model = ItemKNN(train, k=9, shrinkage=2.0)
    model.fit(train)
    x = np.zeros((train.n_users, train.n_items))
    x[train.user, train.item] = train.weight
    norms = np.linalg.norm(x, axis=0)
    expected = x.T @ x / (np.outer(norms, norms) + 2.0)
    np.fill_diagonal(expected, 0.0)
    found = np.zeros_like(expected)
    np.add.at(found, (np.arange(9)[:, None], model.neighbours.numpy()), model.weights.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("model", [IALS, ItemKNN])
@pytest.mark.parametrize("repeated", [False, True])
def test_weights_of_1_are_no_weights(model, repeated):
    fitted = []
    for weight in (None, 1.0):
        train = interactions(weight, repeated=repeated)
        with isolated(0):
            fitted.append(model(train))
        fitted[-1].fit(train)
    for name, tensor in fitted[0].state_dict().items():
        assert torch.equal(tensor, fitted[1].state_dict()[name])


def test_a_run_with_weights_of_1_is_the_run_without(quick, checkerboard):
    quick["model"] = {"name": "mf", "embedding_dim": 4}
    quick["train"]["epochs"] = 2
    weighted = quick | {"data": {"columns": {"weight": "w"}}}
    plain = recpair.fit(quick | {"output": f"{quick['output']}-plain"}, data=checkerboard)
    for value, same in ((1.0, True), (pl.int_range(pl.len()) % 7 + 1, False)):
        frame = checkerboard.with_columns(w=value if isinstance(value, pl.Expr) else pl.lit(value))
        run = recpair.fit(weighted | {"output": f"{quick['output']}-{same}"}, data=frame)
        equal = [torch.equal(tensor, run.model.state_dict()[name]) for name, tensor in plain.model.state_dict().items()]
        assert all(equal) == same


@pytest.mark.parametrize(("model", "noted"), [("ease", True), ("popularity", True), ("ials", False), ("mf", False)])
def test_weights_that_a_model_does_not_use_are_noted_once(model, noted):
    config = load_config({"data": {"path": "x.csv", "columns": {"weight": "w"}}, "model": {"name": model}})
    notes = [note for note in load_config(config).notes if "does not use the weights" in note]
    assert notes == [f"model {model} does not use the weights of events (data.columns.weight)"] * noted

"""Pools whose candidates are queries of their own: the places of a history."""

from inspect import signature

import numpy as np
import pytest
import torch

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.denoising.memory import Memory
from recpair.denoising.pld import PLD
from recpair.denoising.udt import UDT
from recpair.experiment.requirements import needs
from recpair.losses import LOSSES, kind_of
from recpair.models.gru4rec import GRU4Rec
from recpair.sampling.sequences import SequenceSampler
from recpair.seeds import isolated
from recpair.step import Tables
from recpair.training.objective import Objective

OVER_CATALOGUE = {name for name, loss in LOSSES.items() if "catalogue" in needs(loss)}
OF_PAIRS = {name for name, loss in LOSSES.items() if kind_of(loss) == "Q P"}

SIZES = [6, 9, 4, 7]  # so that every pool is without replacement


@pytest.fixture
def train():
    user = np.repeat(np.arange(4), SIZES)
    item = np.random.default_rng(0).integers(20, size=len(user))
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(4, 20))


@pytest.fixture(params=sorted(OF_PAIRS))
def name(request):
    return request.param


@pytest.fixture(params=["positions", "prefixes"])
def batch(request, train, name):
    negatives = "all" if name in OVER_CATALOGUE else "uniform"
    sampler = SequenceSampler(train, 3, 0, 10, examples=request.param, negatives=negatives, n_negatives=2)
    (only,) = sampler.epoch(1)
    return only


@pytest.fixture
def objective(train, name):
    with isolated(0):
        model = GRU4Rec(train, embedding_dim=8, dropout=0.0, history_length=10)
        torch.nn.init.normal_(model.item_embedding.weight)
        counts = torch.from_numpy(train.item_counts)
        return Objective(
            model, LOSSES[name], memory=Memory(len(train)), tables=Tables(item_counts=counts), audit_from=1
        )


def scores_of(objective, batch):
    """Scores of the positives (Q, 1), and what they are compared with."""
    step = objective.step(batch, 1)
    return step.pos, step.neg


def loss_of(objective, pos, neg):
    """The loss of any scores."""
    named = (
        {"n_items": objective.model.item_vectors().shape[0]}
        if "n_items" in signature(objective.loss.function).parameters
        else {}
    )
    return objective.loss.function(pos, neg, **named)


def test_before_the_start_every_event_trains_as_without_pools(objective, batch):
    objective.denoiser = PLD(candidates=3, start_epoch=5)
    own = batch.pools[:, 0]
    pos, against = scores_of(objective, batch)
    torch.testing.assert_close(
        objective(**vars(batch), epoch=5)["loss"], loss_of(objective, pos[own], against[own]).mean()
    )


def test_a_cold_pld_trains_on_the_smallest_loss_of_each_pool(objective, batch, name):
    """By the positive's part alone where the loss is a sum; what then trains is the whole loss of the chosen query."""
    objective.denoiser = PLD(candidates=3, temperature=1e-6, start_epoch=0)
    pos, against = scores_of(objective, batch)
    losses = loss_of(objective, pos, against)
    if objective.loss.pointwise:
        losses = losses - torch.nn.functional.softplus(against).sum(1, keepdim=True)
    chosen = batch.pools.gather(1, losses[batch.pools].squeeze(2).argmin(1, keepdim=True)).flatten()
    parts = objective(**vars(batch), epoch=1)
    drawn = torch.bincount(batch.rows[batch.pools].flatten(), minlength=sum(SIZES))
    assert objective.memory.kept[:, 2].tolist() == drawn.tolist()
    if name != "hinge":  # where several losses of a pool are 0, any of them
        assert parts["loss"].item() == pytest.approx(
            loss_of(objective, pos[chosen], against[chosen]).mean().item(), rel=1e-5
        )
        expected = torch.bincount(batch.rows[chosen].flatten(), minlength=sum(SIZES))
        assert objective.memory.kept[:, 3].tolist() == expected.tolist()


def test_udt_weighs_every_query_of_a_pool(objective, batch):
    objective.denoiser = UDT(candidates=3, temperature=0.5, start_epoch=0)
    pos, against = scores_of(objective, batch)
    seen, queries = loss_of(objective, pos, against), batch.pools.flatten()
    trained, shared = loss_of(objective, pos[queries], against[queries]), 0.0
    if objective.loss.pointwise:  # the weights are those of the positives
        negative = torch.nn.functional.softplus(against).sum(1, keepdim=True)
        seen, shared = seen - negative, negative[queries]
    weights = 3 * torch.softmax(-seen[batch.pools].squeeze(2) / 0.5, dim=1).reshape(-1, 1)
    expected = ((trained - shared) * weights + shared).mean()
    torch.testing.assert_close(objective(**vars(batch), epoch=1)["loss"], expected)


def test_inspection_sees_pools(objective, batch):
    objective.denoiser = PLD(candidates=3, start_epoch=0)
    losses, choice = objective.inspect(batch, 1)
    assert losses.shape == batch.pools.shape
    assert choice.columns.shape == (len(batch.pools), 1)

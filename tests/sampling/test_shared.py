"""Negatives that a batch shares, and scores corrected by how likely a negative was."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.experiment.requirements import needs
from recpair.losses import LOSSES, kind_of
from recpair.losses.sampled_softmax import sampled_softmax
from recpair.models.mf import MF
from recpair.models.neumf import NeuMF
from recpair.sampling.negative_sampler import log_expected
from recpair.sampling.pairs import PairSampler
from recpair.step import Tables
from recpair.training.objective import Objective

OVER_CATALOGUE = {name for name, loss in LOSSES.items() if "catalogue" in needs(loss)}
OF_PAIRS = {name for name, loss in LOSSES.items() if kind_of(loss) == "Q P"}


@given(st.integers(0, 2**32 - 1), st.sampled_from(["uniform", "popularity", "in_batch"]))
@settings(deadline=None, max_examples=30)
def test_what_a_user_has_taken_is_marked_and_nothing_else(seed, source):
    generator = np.random.default_rng(seed)
    events = np.unique(generator.integers(12, size=(40, 2)), axis=0)
    train = Interactions.from_indices(events[:, 0], events[:, 1], vocabulary=Vocabulary.range(12, 30))
    for batch in PairSampler(train, 1, seed, negatives=source, n_negatives=20, shared=True, batch_size=16).epoch(1):
        assert batch.negatives.shape == (1, 20)
        taken = [set(train.items_of(user)) for user in batch.user.tolist()]
        expected = [[item in own for item in batch.negatives[0].tolist()] for own in taken]
        assert batch.false_negatives.tolist() == expected


def test_shared_negatives_are_new_in_each_batch_and_of_their_source():
    """Item 0 has all events but one: popularity draws it nearly always, uniform hardly ever."""
    user, item = np.arange(200), np.where(np.arange(200) < 199, 0, 1)
    train = Interactions.from_indices(user, item, vocabulary=Vocabulary.range(200, 50))
    drawn = {}
    for source in ("popularity", "uniform"):
        sampler = PairSampler(train, 1, 3, negatives=source, n_negatives=40, shared=True, batch_size=50)
        drawn[source] = torch.cat([batch.negatives for batch in sampler.epoch(1)])
        assert len(torch.unique(drawn["uniform"], dim=0)) == 4 if source == "uniform" else True
    assert (drawn["popularity"] == 0).float().mean() > 0.8
    assert (drawn["uniform"] == 0).float().mean() < 0.2


@pytest.mark.parametrize("kind", [MF, NeuMF])
def test_one_row_of_items_is_scored_for_every_query(kind):
    train = Interactions.from_indices(np.arange(5), np.arange(5), vocabulary=Vocabulary.range(5, 9))
    scorer = kind(train, embedding_dim=4).score(Batch.of_users(torch.arange(3)))
    row = torch.tensor([[8, 0, 3, 3]])
    torch.testing.assert_close(scorer.of(row), scorer.of(row.expand(3, -1)))


@pytest.mark.parametrize("name", sorted(OF_PAIRS - OVER_CATALOGUE))
def test_a_known_negative_has_no_gradient_and_no_weight(name):
    """All but one of the shared negatives are known: what is left is the loss of that one, over N where it is a mean."""
    train = Interactions.from_indices(np.arange(3), np.arange(3), vocabulary=Vocabulary.range(3, 8))
    model = MF(train, embedding_dim=4)
    known = torch.tensor([[True, False, True]] * 3)
    batch = {
        "user": torch.arange(3),
        "positives": torch.arange(3).unsqueeze(1),
        "rows": torch.arange(3).unsqueeze(1),
        "negatives": torch.tensor([[5, 6, 7]]),
        "false_negatives": known,
    }
    objective = Objective(model, LOSSES[name], tables=Tables(item_counts=torch.ones(8, dtype=torch.long)))
    objective(**batch, epoch=1)["loss"].backward()
    gradient = model.item_embedding.weight.grad.to_dense()
    assert torch.isfinite(gradient).all()
    assert gradient[[5, 7]].abs().sum() == 0
    assert gradient[6].abs().sum() > 0


def test_every_item_as_a_negative_but_the_target_is_the_whole_softmax():
    train = Interactions.from_indices(np.arange(3), np.arange(3), vocabulary=Vocabulary.range(3, 8))
    model = MF(train, embedding_dim=4)
    positives = torch.tensor([[2], [0], [7]])
    batch = {"user": torch.arange(3), "positives": positives, "rows": torch.arange(3).unsqueeze(1)}
    items = torch.arange(8).unsqueeze(0)
    whole = Objective(model, LOSSES["softmax"])(**batch, negatives=None, epoch=1)["loss"]
    sampled = Objective(model, sampled_softmax)(**batch, negatives=items, false_negatives=items == positives, epoch=1)[
        "loss"
    ]
    torch.testing.assert_close(sampled, whole)


def test_a_corrected_softmax_over_popular_negatives_estimates_the_whole_one():
    """E over N negatives drawn by q of Σ e^(s − log(N q)) is Σ e^s over all: the corrected losses agree, others do not."""
    generator = torch.Generator().manual_seed(0)
    q = torch.rand(50, generator=generator, dtype=torch.float64) ** 3 + 0.01
    scores = torch.randn(50, generator=generator, dtype=torch.float64) + q.log()  # popular items score higher
    q = q / q.sum()
    drawn = torch.multinomial(q, 200_000, replacement=True, generator=generator)
    correction = torch.from_numpy(log_expected(q.numpy(), len(drawn))).double()
    positive = torch.zeros(1, 1, dtype=torch.float64)
    whole = sampled_softmax(positive, scores.unsqueeze(0))
    corrected = sampled_softmax(positive, (scores - correction)[drawn].unsqueeze(0))
    torch.testing.assert_close(corrected, whole, rtol=2e-3, atol=0)
    assert abs(float(sampled_softmax(positive, scores[drawn].unsqueeze(0)) - whole)) > 0.5
    popular = scores + math.log(len(q) / len(drawn))  # of the right size, but of popular items too often
    assert abs(float(sampled_softmax(positive, popular[drawn].unsqueeze(0)) - whole)) > 0.5


def test_a_run_with_shared_corrected_negatives_solves_the_checkerboard(checkerboard, quick):
    quick |= {"loss": {"name": "sampled_softmax", "temperature": 0.5}}
    quick["sampler"] |= {"negatives": "in_batch", "n_negatives": 32, "shared": True, "correct": True}
    run = recpair.fit(quick, ["train.epochs=60", "train.learning_rate=0.02"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] >= 0.95


def test_hard_negatives_are_chosen_among_shared_ones(checkerboard, quick):
    quick |= {"hard_negatives": {"name": "dns", "candidates": 4}}
    quick["sampler"] |= {"n_negatives": 2, "shared": True}
    run = recpair.fit(quick, ["train.epochs=60", "train.learning_rate=0.02"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] >= 0.95

"""The split of items: whole items are held out, and the evaluation ranks all items or the cold ones."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recpair.batch import Batch
from recpair.data.dataset import Dataset
from recpair.data.events import Events
from recpair.data.splitting import TEST, TRAIN, VALID, apply_split, cold_items
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluator
from recpair.models import FittedModel, TableScorer

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=40, max_size=200, unique=True)


def dataset(pairs):
    user, item = zip(*pairs, strict=True)
    return Dataset.from_events(Events(pl.DataFrame({"user_id": user, "item_id": item})))


@given(PAIRS, st.integers(0, 3))
def test_all_events_of_an_item_are_in_one_part(pairs, seed):
    data = dataset(pairs)
    labels, n = cold_items(data, fractions=(0.7, 0.1, 0.2), seed=seed), data.interactions.n_items
    parts = [set(data.interactions.item[labels == part].tolist()) for part in (TRAIN, VALID, TEST)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    least = n >= 3  # each part then has an item
    assert len(parts[1]) == max(int(0.1 * n + 1e-9), least)
    assert len(parts[2]) == max(int(0.2 * n + 1e-9), least)
    assert (labels == cold_items(data, fractions=(0.7, 0.1, 0.2), seed=seed)).all()


def split(fractions=(0.6, 0.2, 0.2), validate=True):
    generator = np.random.default_rng(0)
    data = dataset({(int(u), int(i)) for u, i in generator.integers(0, (30, 40), size=(600, 2))})
    return apply_split(data, cold_items(data, fractions=fractions, seed=1), "cold_items", validate=validate)


def test_training_has_no_event_of_a_held_out_item():
    parts = split()
    cold = parts.train.item_counts == 0
    assert cold[parts.valid.item].all()
    assert cold[parts.test.item].all()
    assert parts.report["items_without_training"] == cold.sum() == 16
    assert any("16 items are held out of training" in note for note in parts.notes)
    assert not any("misses" in note for note in parts.notes)
    final = split(validate=False)  # the validation items train
    assert (final.train.item_counts > 0).sum() == 32


class Noise(FittedModel):
    """Random scores."""

    def __init__(self, n_users, n_items):
        super().__init__()
        self.table = torch.randn(n_users, n_items, generator=torch.Generator().manual_seed(0))

    def fit(self, interactions):
        pass

    def score(self, batch: Batch):
        return TableScorer(self.table[batch.user])

    def fold_in(self, histories):
        raise NotImplementedError


def test_cold_candidates_against_a_naive_loop():
    parts = split()
    noise = Noise(30, parts.train.n_items)
    found = Evaluator(parts.train, parts.test, (parts.valid,), metrics=["recall"], cutoffs=[3], candidates="cold")
    candidates = np.unique(parts.test.item)
    recalls = []
    for user in np.unique(parts.test.user):
        scores = noise.table[user, candidates].numpy()
        best = set(candidates[np.argsort(-scores)[:3]].tolist())
        own = set(parts.test.items_of(user).tolist())
        recalls.append(len(best & own) / len(own))
    np.testing.assert_allclose(found.evaluate(noise).per_user["recall@3"], recalls)


def test_only_events_of_cold_items_are_evaluated_with_cold_candidates():
    """A part with cold and other items: the events of the others do not count."""
    parts = split()
    rows = np.flatnonzero(np.isin(parts.train.user, [0, 1]))[:4]
    mixed = parts.train.select(np.setdiff1d(np.arange(len(parts.train)), rows))
    held = type(parts.test).from_indices(
        np.concatenate([parts.test.user, parts.train.user[rows]]),
        np.concatenate([parts.test.item, parts.train.item[rows]]),
        vocabulary=parts.vocabulary,
    )
    assert (mixed.item_counts[parts.train.item[rows]] > 0).all()
    noise, options = Noise(30, parts.train.n_items), {"metrics": ["recall"], "cutoffs": [3], "candidates": "cold"}
    both = [Evaluator(mixed, each, **options).evaluate(noise) for each in (held, parts.test)]
    assert both[0].means == both[1].means


@pytest.mark.parametrize(
    ("held", "cutoff", "message"),
    [
        ("train", 3, "all held-out items have training events"),
        ("test", 9, "9 is larger than the number of cold items, 8"),
    ],
)
def test_impossible_candidates_are_refused(held, cutoff, message):
    parts = split()
    with pytest.raises(ConfigError, match=message):
        Evaluator(parts.train, getattr(parts, held), metrics=["recall"], cutoffs=[cutoff], candidates="cold")

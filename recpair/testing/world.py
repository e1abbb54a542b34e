"""A small data set with everything that a step supplies, and the models and steps of the contract tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from recpair.batch import Batch
from recpair.data.histories import before
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.experiment.requirements import needs
from recpair.models import GradientModel
from recpair.models.mf import MF
from recpair.models.sasrec import SASRec
from recpair.registry import options
from recpair.seeds import isolated
from recpair.semantics import Retrieved
from recpair.step import Step, Tables, make
from recpair.training.frozen import Frozen

N_USERS, N_ITEMS, N_EVENTS_OF_USER = 12, 15, 6
LENGTH, DIM, SEMANTIC, NEIGHBOURS = 5, 8, 4, 3


def interactions() -> Interactions:
    """Return 6 events with ratings for each of 12 users, on 15 items."""
    generator = np.random.default_rng(0)
    user = np.repeat(np.arange(N_USERS), N_EVENTS_OF_USER)
    item = np.concatenate([generator.choice(N_ITEMS, N_EVENTS_OF_USER, replace=False) for _ in range(N_USERS)])
    rating = generator.integers(1, 6, len(item)).astype(np.float32)
    return Interactions.from_indices(
        user, item, np.arange(len(item)), rating, vocabulary=Vocabulary.range(N_USERS, N_ITEMS)
    )


def retrieved(train: Interactions) -> Retrieved:
    """Return random unit vectors and neighbours of items and histories."""
    generator = np.random.default_rng(1)
    vectors = [generator.normal(size=(n, SEMANTIC)).astype(np.float32) for n in (N_ITEMS, len(train))]
    units = [table / np.linalg.norm(table, axis=1, keepdims=True) for table in vectors]
    items = np.stack([generator.choice(np.delete(np.arange(N_ITEMS), i), NEIGHBOURS, False) for i in range(N_ITEMS)])
    followers = np.flatnonzero(np.arange(len(train)) > train.indptr[train.user])
    rows = np.stack([generator.choice(followers[followers != r], NEIGHBOURS, False) for r in range(len(train))])
    return Retrieved(units[0], items.astype(np.int32), units[1], rows.astype(np.int32))


def tables(train: Interactions, found: Retrieved) -> Tables:
    """Return all tables of a step."""
    assert train.rating is not None
    generator = torch.Generator().manual_seed(2)
    return Tables(
        item_counts=torch.from_numpy(train.item_counts),
        relevance=torch.from_numpy(train.rating),
        category=torch.arange(N_ITEMS) % 4 - 1,
        item_features=torch.randn(N_ITEMS, 3, generator=generator),
        **Tables.semantic(found),
    )


class World:
    """A model that gives what a component needs, and the steps of batches of its data.

    Args:
        components: the component and its methods that receive supplied values.
    """

    def __init__(self, *components: Callable[..., Any]) -> None:
        self.needs = needs(*components)
        self.train = interactions()
        self.retrieved = retrieved(self.train)
        with isolated(0):
            self.model: GradientModel = (
                SASRec(self.train, embedding_dim=DIM, history_length=LENGTH)
                if "history" in self.needs
                else MF(self.train, embedding_dim=DIM, init="normal", init_std=0.5)
            )
        self.tables = tables(self.train, self.retrieved)
        self.frozen = Frozen(self.model)
        self.frozen.freeze(self.model)

    def construct(self, component: Callable[..., Any], **chosen: Any) -> Any:
        """Construct a component from its options and the supplied values in its signature."""
        supplies = {
            "interactions": self.train,
            "n_items": N_ITEMS,
            "n_users": N_USERS,
            "n_events": len(self.train),
            "retrieved": self.retrieved,
            "history_length": LENGTH,
            "embedding_dim": DIM,
        }
        with isolated(1):
            return make(component, supplies, **chosen)

    def batch(self, queries: int = 8, positives: int = 1, negatives: int = 5, seed: int = 0) -> Batch:
        """Return a batch of training rows that have a history, and random negatives."""
        generator = np.random.default_rng(seed)
        rows = np.flatnonzero(np.arange(len(self.train)) > self.train.indptr[self.train.user])
        first = generator.choice(rows, queries, replace=False)
        users = self.train.user[first]
        start = self.train.indptr[users]
        others = start[:, None] + generator.integers(0, N_EVENTS_OF_USER, (queries, positives - 1))
        chosen = np.concatenate([first[:, None], others], axis=1)
        history = torch.from_numpy(before(self.train, first, LENGTH)) if "history" in self.needs else None
        drawn = None
        if "catalogue" not in self.needs:
            drawn = torch.from_numpy(generator.integers(0, N_ITEMS, (queries, negatives)))
        item = torch.from_numpy(self.train.item[chosen].astype(np.int64))
        user, row = (torch.from_numpy(column.astype(np.int64)) for column in (users, chosen))
        return Batch(user, item, drawn, row, history)

    def step(self, batch: Batch) -> Step:
        """Return the step of a batch in epoch 3."""
        return Step(self.model, self.tables, batch, 3, self.frozen.score)


def require_options(component: Callable[..., Any], name: str) -> None:
    """Check that all options have types and defaults."""
    for option, (annotation, default) in options(component).items():
        assert not isinstance(annotation, str), f"option {option} of {name} has an annotation that cannot be resolved"
        assert default is not ..., f"option {option} of {name} has no default"

"""Blends: the arithmetic against dense loops, and how queries reach the members."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.models import MODELS, Blend
from recpair.models.calibration import CALIBRATIONS
from recpair.models.contract import FittedModel, HistoryModel
from recpair.models.scorer import TableScorer
from recpair.seeds import isolated


class Table(FittedModel):
    """Fixed scores of known users; unknown users have those of user 0, multiplied by the length of the history."""

    def __init__(self, scores):
        super().__init__()
        self.register_buffer("scores", torch.as_tensor(scores, dtype=torch.float32))

    def fit(self, interactions):
        pass

    def score(self, batch):
        return TableScorer(self.scores[batch.user])

    def fold_in(self, histories):
        return TableScorer(torch.stack([self.scores[0] * len(history) for history in histories]))


def events_of(lengths):
    """Users with the given numbers of events, on items 0, 1, …"""
    user = np.repeat(np.arange(len(lengths)), lengths)
    item = np.concatenate([np.arange(n) for n in lengths])
    frame = pl.DataFrame({"user_id": user, "item_id": item, "timestamp": np.arange(len(user))})
    return Interactions.from_polars(frame)


def blend_of(train, parts, weights, calibration="z_score", edges=()):
    sections = [{"name": f"part {n}"} for n in range(len(parts))]
    made = Blend(train, parts, members=sections, calibration=calibration, groups=len(edges) + 1)
    made.weights.copy_(torch.tensor(weights))
    made.edges.copy_(torch.tensor(edges, dtype=torch.int64))
    return made.eval()


def looped(kind, scores):
    """Calibrated scores of one query, one item after the other."""
    n, mean = len(scores), math.fsum(scores) / len(scores)
    if kind == "z_score":
        sd = math.sqrt(math.fsum((s - mean) ** 2 for s in scores) / n)
        return [(s - mean) / sd if sd else 0.0 for s in scores]
    if kind == "rank":
        ranks = [sum(t > s for t in scores) + (sum(t == s for t in scores) + 1) / 2 for s in scores]
        return [-math.log(rank) for rank in ranks]
    top = max(scores)
    return [s - top - math.log(math.fsum(math.exp(t - top) for t in scores)) for s in scores]


@pytest.mark.parametrize("kind", CALIBRATIONS)
@given(rows=st.lists(st.lists(st.integers(-40, 40), min_size=7, max_size=7), min_size=1, max_size=4))
def test_calibrations_are_those_of_a_loop(kind, rows):
    scores = torch.tensor(rows, dtype=torch.float32) / 8
    expected = [looped(kind, row) for row in scores.tolist()]
    torch.testing.assert_close(CALIBRATIONS[kind](scores), torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_ranks_are_those_of_scipy():
    scores = torch.tensor([[0.0, 3.0, 0.0, 5.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    expected = -np.log(stats.rankdata(-scores.numpy(), axis=1))
    np.testing.assert_allclose(CALIBRATIONS["rank"](scores), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", CALIBRATIONS)
def test_a_blend_adds_calibrated_scores_with_the_weights_of_the_group(kind):
    """Users with 2, 3 and 9 events: edges [2, 3] make three groups; unknown users have that of their history."""
    train = events_of([2, 3, 9])
    generator = np.random.default_rng(0)
    tables = generator.normal(size=(3, 3, 9)).round(2)
    weights = [[0.2, 0.3, 0.5], [0.0, 0.6, 0.4], [0.5, 0.25, 0.25]]
    made = blend_of(train, [Table(table) for table in tables], weights, kind, [2, 3])
    expected = np.zeros((3, 9))
    for user in range(3):
        for m in range(3):
            for i, value in enumerate(looped(kind, tables[m, user].tolist())):
                expected[user, i] += weights[user][m] * value
    scorer = made.score(made.batch_of(torch.arange(3), Histories((train,))))
    np.testing.assert_allclose(scorer.catalogue(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scorer.of(torch.tensor([[4]]))[:, 0], expected[:, 4], rtol=1e-4, atol=1e-5)
    folded = made.fold_in([np.array([0, 1, 2, 3]), np.array([5])]).catalogue()
    for row, (length, group) in enumerate([(4, 2), (1, 0)]):
        parts = [looped(kind, (tables[m, 0] * length).tolist()) for m in range(3)]
        np.testing.assert_allclose(folded[row], np.array(weights[group]) @ parts, rtol=1e-4, atol=1e-5)


def test_a_member_with_all_the_weight_is_not_changed():
    """Scores that a subtraction of the mean would round to equal ones."""
    train = events_of([2, 3])
    close = np.float32([[1e-9, 2e-9, 5.0], [3e-9, 2e-9, 7.0]])
    made = blend_of(train, [Table(close), Table(np.full((2, 3), -np.inf))], [[1.0, 0.0]])
    assert torch.equal(made.score(Batch.of_users(torch.arange(2))).catalogue(), torch.from_numpy(close))
    mixed = blend_of(train, [Table(close), Table(close[::-1].copy())], [[1.0, 0.0], [0.5, 0.5]], edges=[2])
    assert torch.equal(mixed.score(Batch.of_users(torch.arange(2))).catalogue()[0], torch.from_numpy(close[0]))


@pytest.mark.parametrize("kind", CALIBRATIONS)
def test_equal_scores_do_not_rank(kind):
    flat = CALIBRATIONS[kind](torch.full((2, 5), 0.1))
    assert torch.isfinite(flat).all()
    assert (flat == flat[:, :1]).all()


def test_every_member_reads_histories_of_its_length():
    """The scores of a blend with one weight are those of the member alone, for known and unknown users."""
    train = events_of([3, 8, 1, 12])
    with isolated(0):
        parts = [
            MODELS["sasrec"](train, history_length=3, embedding_dim=4, n_layers=1),
            MODELS["ease"](train),
            MODELS["gru4rec"](train, history_length=7, embedding_dim=4),
            MODELS["transitions"](train, last=2),
        ]
    for part in parts:
        part.eval()
        if isinstance(part, FittedModel):
            part.fit(train)
    users, histories = torch.tensor([1, 3, 0]), Histories((train,))
    unknown = [np.arange(11), np.array([4]), np.array([2, 5, 1, 7])]
    for place, part in enumerate(parts):
        made = blend_of(train, parts, [[float(m == place) for m in range(4)]])
        assert made.history_length == 7
        asked = part.batch_of(users, histories)
        with torch.no_grad():
            alone = part.score(asked).catalogue()
        assert torch.equal(made.score(made.batch_of(users, histories)).catalogue(), alone)
        assert torch.equal(made.fold_in(unknown).catalogue(), part.fold_in(unknown).catalogue())
    assert sum(isinstance(part, HistoryModel) for part in parts) == 3


def test_a_blend_may_have_blends_as_members():
    train = events_of([2, 3])
    tables = [np.eye(3)[:2], np.eye(3)[1:], np.ones((2, 3))]
    inner = blend_of(train, [Table(table) for table in tables[:2]], [[0.5, 0.5]], "rank")
    outer = blend_of(train, [inner, Table(tables[2])], [[1.0, 0.0]])
    batch = outer.batch_of(torch.arange(2), Histories((train,)))
    assert torch.equal(outer.score(batch).catalogue(), inner.score(batch).catalogue())
    assert {"members.0.weights", "members.0.members.1.scores", "edges"} <= set(outer.state_dict())


def test_a_blend_is_not_fitted():
    train = events_of([2, 3])
    with pytest.raises(ConfigError, match="recpair blend RUN RUN --out RUN"):
        Blend(train)
    with pytest.raises(ConfigError, match="recpair blend RUN RUN --out RUN"):
        blend_of(train, [Table(np.eye(3)[:2])], [[1.0]]).fit(train)

"""Metrics against golden numbers, scikit-learn, and a naive loop; blocks, groups and errors."""

import math

import numba
import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.names import METRICS, parse_metric
from recpair.models import FittedModel, Vectors

PER_USER = ("recall", "precision", "ndcg", "mrr", "map", "hit")


class Table(FittedModel):
    """Scores that are given."""

    def __init__(self, scores) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(torch.as_tensor(np.asarray(scores), dtype=torch.float32))

    def fit(self, interactions: Interactions) -> None:
        raise AssertionError("there is nothing to fit")

    def fold_in(self, histories):
        raise AssertionError("nobody is folded in")

    def score(self, batch: Batch) -> Vectors:
        return Vectors(queries=self.scores[batch.user], items=torch.eye(self.scores.shape[1]))


def lists(per_user, n_items) -> Interactions:
    user = np.repeat(np.arange(len(per_user)), [len(items) for items in per_user])
    item = np.array([i for items in per_user for i in items], dtype=np.int64)
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(len(per_user), n_items))


@pytest.mark.parametrize("ideal", ["cut", "full"])
def test_golden_numbers_per_user(golden, ideal):
    numbers = golden("metrics")
    scores, seen, relevant = numbers["scores"], numbers["seen"], numbers["relevant"]
    n_items = len(scores[0])
    cutoffs = [1, 5, 10]
    evaluator = Evaluator(
        lists(seen, n_items), lists(relevant, n_items), metrics=PER_USER, cutoffs=cutoffs, ideal=ideal
    )
    found = evaluator.evaluate(Table(scores)).per_user
    users = found["user"].to_list()
    for name in PER_USER:
        key = "ndcg_full_ideal" if (name, ideal) == ("ndcg", "full") else name
        for cutoff in cutoffs:
            expected = [numbers["per_user"][str(cutoff)][key][u] for u in users]
            assert found[f"{name}@{cutoff}"].to_list() == pytest.approx(expected, abs=1e-9), f"{name}@{cutoff}"


def naive(row, seen, relevant, k):
    """Every metric of one user from its definition."""
    ranked = sorted((i for i in range(len(row)) if i not in seen), key=lambda i: (-row[i], i))[:k]
    ranks = [r for r, i in enumerate(ranked, 1) if i in relevant]
    gains = sum(1 / math.log2(r + 1) for r in ranks)
    return {
        "recall": len(ranks) / len(relevant),
        "precision": len(ranks) / k,
        "ndcg": gains / sum(1 / math.log2(r + 1) for r in range(1, min(k, len(relevant)) + 1)),
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "map": sum((n + 1) / r for n, r in enumerate(ranks)) / min(k, len(relevant)),
        "hit": float(bool(ranks)),
    }


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_a_naive_loop_agrees(seed, k):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 4, size=(5, 12)).astype(np.float32)
    seen = [np.flatnonzero(generator.random(12) < 0.3).tolist() for _ in range(5)]
    relevant = [np.flatnonzero(generator.random(12) < 0.3).tolist() for _ in range(5)]
    relevant[0] = [3]
    evaluator = Evaluator(lists(seen, 12), lists(relevant, 12), metrics=PER_USER, cutoffs=[k])
    found = evaluator.evaluate(Table(scores))
    rows = [naive(scores[u], seen[u], relevant[u], k) for u in range(5) if relevant[u]]
    for name in PER_USER:
        assert found.per_user[f"{name}@{k}"].to_list() == pytest.approx([row[name] for row in rows])
        assert found.means[f"{name}@{k}"] == pytest.approx(np.mean([row[name] for row in rows]))


def test_scikit_learn_agrees_on_ndcg():
    generator = np.random.default_rng(0)
    scores, truth = generator.random((20, 30)), generator.random((20, 30)) < 0.2
    truth[:, 0] = True
    nothing = lists([[] for _ in range(20)], 30)
    held_out = lists([np.flatnonzero(row) for row in truth], 30)
    found = Evaluator(nothing, held_out, metrics=["ndcg"], cutoffs=[7], mask_seen=False).evaluate(Table(scores))
    assert found.means["ndcg@7"] == pytest.approx(ndcg_score(truth, scores, k=7))


def test_what_is_measured_over_lists():
    """Lists {0, 1} and {0, 2} of 4 items; counts 3, 1, 0, 0 of 4 users.

    Coverage 3/4. Popularity (3 + 1 + 3 + 0) / 4. Novelty: log₂(4/3) twice, log₂ 4 for one user, and
    log₂ 4 for nobody (counted as one).
    """
    train = lists([[0], [0], [0], [1]], 4)
    scores = [[9, 8, 0, 0], [9, 0, 8, 0], [0] * 4, [0] * 4]
    held_out = lists([[3], [3], [], []], 4)
    names = ["coverage", "novelty", "popularity"]
    means = Evaluator(train, held_out, metrics=names, cutoffs=[2], mask_seen=False).evaluate(Table(scores)).means
    assert means["coverage@2"] == 0.75
    assert means["popularity@2"] == 7 / 4
    assert means["novelty@2"] == pytest.approx((2 * math.log2(4 / 3) + 2 * 2) / 4)


def test_novelty_counts_users_and_popularity_counts_events():
    """User 0 took item 0 three times: one of 2 users took it (log₂ 2 = 1 bit), in three events."""
    train, held_out = lists([[0, 0, 0], [1]], 4), lists([[3], [3]], 4)
    evaluator = Evaluator(train, held_out, metrics=["novelty", "popularity"], cutoffs=[1], mask_seen=False)
    means = evaluator.evaluate(Table([[9, 0, 0, 0]] * 2)).means
    assert means == {"novelty@1": 1.0, "popularity@1": 3.0}


def test_a_held_out_event_that_is_repeated_counts_once():
    evaluation = Evaluator(lists([[]], 4), lists([[2, 2, 3]], 4), cutoffs=[1, 2]).evaluate(Table([[0, 0, 1, 0]]))
    assert evaluation.means["recall@1"] == 0.5


def test_the_numbers_do_not_depend_on_threads():
    generator = np.random.default_rng(3)
    train, held_out = (lists([generator.choice(200, 9, replace=False) for _ in range(50)], 200) for _ in range(2))
    texts = np.eye(200, dtype=np.float32)
    evaluator = Evaluator(train, held_out, text_vectors=texts, metrics=METRICS, cutoffs=[5, 50])
    table = Table(generator.random((50, 200)))
    many, threads = evaluator.evaluate(table), numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = evaluator.evaluate(table)
    finally:
        numba.set_num_threads(threads)
    assert one.means == many.means
    assert one.per_user.equals(many.per_user)


def test_the_model_stays_in_its_mode():
    table = Table([[0, 1]]).train()
    Evaluator(lists([[]], 2), lists([[1]], 2), cutoffs=[1]).evaluate(table)
    assert table.training


def test_seen_items_are_masked_and_a_seen_test_item_is_a_miss():
    scores, train, valid = [[3, 2, 1, 0]], lists([[0]], 4), lists([[1]], 4)
    held_out = lists([[0, 2]], 4)
    measured = lambda *seen, **o: Evaluator(train, held_out, seen, cutoffs=[1], **o).evaluate(Table(scores)).means  # noqa: E731
    assert measured()["recall@1"] == 0.0
    assert measured(valid)["recall@1"] == 0.5
    assert measured(mask_seen=False)["recall@1"] == 0.5


def test_small_blocks_give_the_same_numbers():
    generator = np.random.default_rng(1)
    n_items = 70_000  # one MiB of float32 holds three rows
    scores = generator.random((8, n_items)).astype(np.float32)
    train = lists([generator.choice(n_items, 50, replace=False) for _ in range(8)], n_items)
    held_out = lists([generator.choice(n_items, 500, replace=False) for _ in range(8)], n_items)
    table = Table(np.eye(8))
    table.score = lambda batch: Vectors(torch.eye(8)[batch.user], torch.from_numpy(scores.T))
    texts = np.ones((n_items, 1), dtype=np.float32)
    small, large = (
        Evaluator(train, held_out, text_vectors=texts, metrics=METRICS, cutoffs=[10, 500], block_mb=mb).evaluate(table)
        for mb in (1, 256)
    )
    assert small.means == large.means
    assert small.per_user.equals(large.per_user)


def test_groups_by_activity():
    train = lists([range(n) for n in (1, 1, 2, 3, 5, 8)], 20)
    held_out = lists([[19]] * 6, 20)
    evaluator = Evaluator(train, held_out, metrics=["hit"], cutoffs=[1])
    scores = np.zeros((6, 20))
    scores[3:, 19] = 1
    groups = evaluator.by_activity(evaluator.evaluate(Table(scores)), "hit@1", groups=3)
    assert groups["n_users"].sum() == 6
    assert groups["from_events"].to_list() == [1, 2, 5]
    assert groups["mean"].to_list() == pytest.approx([0.0, 0.5, 1.0])


def test_only_values_of_users_can_be_grouped():
    evaluator = Evaluator(lists([[0]], 3), lists([[1]], 3), metrics=["hit", "coverage"], cutoffs=[1])
    evaluation = evaluator.evaluate(Table([[0, 1, 0]]))
    for metric in ("coverage@1", "hit@2", "user"):
        with pytest.raises(ConfigError, match="no values per user; choose one of hit@1"):
            evaluator.by_activity(evaluation, metric)


def test_the_same_ranking_serves_other_held_out_events():
    train, wide, narrow = lists([[0], [1], [2]], 6), lists([[1, 2], [3], [4]], 6), lists([[1], [], [4]], 6)
    evaluator = Evaluator(train, wide, metrics=["recall"], cutoffs=[2])
    model = Table([[0, 5, 4, 3, 2, 1]] * 3)
    other = evaluator.on(narrow)
    found = other.measure(evaluator.rank(model)[np.isin(evaluator.users, other.users)])
    assert found.means == other.evaluate(model).means
    assert found.per_user.equals(Evaluator(train, narrow, metrics=["recall"], cutoffs=[2]).evaluate(model).per_user)
    assert evaluator.evaluate(model).n_users == 3


def test_pooled_auc_sees_what_ranks_within_users_cannot():
    """Both users rank their held-out item first (NDCG 1); user 1's scores lie 10 lower, so that its item (−9) loses
    against user 0's others (0): of the four kinds of comparison three are won, 100 negatives each."""
    train, held_out = lists([[0], [0]], 6), lists([[1], [1]], 6)
    evaluator = Evaluator(train, held_out, metrics=["ndcg", "pooled_auc"], cutoffs=[3])
    means = evaluator.evaluate(Table([[5, 1, 0, 0, 0, 0], [5, -9, -10, -10, -10, -10]])).means
    assert means == {"ndcg@3": 1.0, "pooled_auc": 0.75}


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_scikit_learn_agrees_on_pooled_auc(seed):
    """With one unobserved item per user all pairs are drawn, so the sample is the whole."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 5, size=(8, 7)).astype(float)
    held = [list(generator.choice(6, size=generator.integers(1, 4), replace=False)) for _ in range(8)]
    train = lists([[i for i in range(6) if i not in h] for h in held], 7)
    found = Evaluator(train, lists(held, 7), metrics=["pooled_auc"], cutoffs=[1]).evaluate(Table(scores)).means
    pairs = [(1, scores[u, i]) for u in range(8) for i in held[u]] + [(0, scores[u, 6]) for u in range(8)] * 100
    label, score = zip(*pairs, strict=True)
    assert found["pooled_auc"] == pytest.approx(roc_auc_score(label, score))


def test_pooled_auc_chooses_no_epoch():
    with pytest.raises(ConfigError, match="cannot select the epoch"):
        parse_metric("pooled_auc@10")


def test_users_without_held_out_events_are_not_counted():
    evaluation = Evaluator(lists([[0], [1]], 3), lists([[], [2]], 3), cutoffs=[1]).evaluate(Table([[0, 0, 1]] * 2))
    assert evaluation.n_users == 1
    assert evaluation.per_user["user"].dtype == pl.Int32
    assert evaluation.means["recall@1"] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["recal"]}, r"evaluate\.metrics: unknown metric 'recal'; did you mean recall"),
        ({"cutoffs": [2, 50]}, r"evaluate\.cutoffs: 50 is larger than the catalogue of 3 items"),
        ({"cutoffs": [0]}, r"evaluate\.cutoffs must be at least 1, got 0"),
        ({"cutoffs": [-1, 2]}, r"evaluate\.cutoffs must be at least 1, got -1"),
        ({"metrics": ["ndcg@1"]}, "evaluate.metrics contains 'ndcg@1'"),
        ({"metrics": []}, "at least one"),
        ({"cutoffs": []}, "at least one"),
    ],
)
def test_impossible_requests(options, message):
    with pytest.raises(ConfigError, match=message):
        Evaluator(lists([[0]], 3), lists([[1]], 3), **({"cutoffs": [1]} | options))


def test_nothing_to_measure_with():
    with pytest.raises(DataError, match="no held-out events"):
        Evaluator(lists([[0]], 3), lists([[]], 3))


def test_names_of_metrics():
    assert parse_metric("ndcg@10") == ("ndcg", 10)
    for bad in ("ndcg", "ndcg@0", "ndcg@x", "@3", "ndcg@010", "ndcg@²", "ndcg@-1"):
        with pytest.raises(ConfigError):
            parse_metric(bad)

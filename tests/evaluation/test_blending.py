"""The search for the weights of a blend, against an exhaustive one on tiny data."""

import numpy as np
import polars as pl
import pytest
import torch

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.evaluation.activity import activity_edges
from recpair.evaluation.blending import DEPTH, GRID, WeightSearch, candidates_of, normalised
from recpair.evaluation.evaluator import Evaluator
from recpair.models.calibration import CALIBRATIONS
from recpair.models.ease import EASE
from recpair.models.item_knn import ItemKNN
from recpair.models.popularity import Popularity


@pytest.fixture(scope="module")
def data():
    """30 users × 25 items: groups of users prefer a third of the items, and some items are popular; two events held out."""
    generator = np.random.default_rng(3)
    rows = []
    for user in range(30):
        taste = np.exp(2.0 * (np.arange(25) % 3 == user % 3) - 0.1 * np.arange(25))
        items = generator.choice(25, size=4 + user % 6, replace=False, p=taste / taste.sum())
        rows += [(user, int(item), place < 2) for place, item in enumerate(items)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "held_out"], orient="row")
    both = Interactions.from_polars(frame)
    known = {(u, i): held for u, i, held in rows}
    ids = both.vocabulary
    pairs = zip(ids.users.of(both.user).to_list(), ids.items.of(both.item).to_list(), strict=True)
    held = np.array([known[pair] for pair in pairs])
    return both.select(~held), both.select(held)


@pytest.fixture(scope="module")
def members(data):
    made = [EASE(data[0], ridge=2.0), ItemKNN(data[0], k=5), Popularity(data[0])]
    for model in made:
        model.fit(data[0])
    return made


def evaluator_of(data):
    return Evaluator(*data, metrics=["ndcg"], cutoffs=[3])


def search_of(members, evaluator, kind, depth=DEPTH):
    alone = [evaluator.evaluate(model).means["ndcg@3"] for model in members]
    return WeightSearch(evaluator, "ndcg@3", candidates_of(members, evaluator, kind, depth), alone)


def dense_ndcg(data, members, kind, weights):
    """Mean NDCG@3 of a weighted sum, with a loop over users and a sort of all items."""
    train, valid = data
    scores = [
        CALIBRATIONS[kind](m.score(Batch.of_users(torch.arange(30))).catalogue()).double().numpy() for m in members
    ]
    total = sum(w * s for w, s in zip(weights, scores, strict=True)).astype(np.float32)
    values = []
    for user in np.unique(valid.user):
        hidden, relevant = set(train.items_of(user).tolist()), set(valid.items_of(user).tolist())
        ranked = sorted((i for i in range(train.n_items) if i not in hidden), key=lambda i: (-total[user, i], i))[:3]
        gain = sum(1 / np.log2(place + 2) for place, item in enumerate(ranked) if item in relevant)
        values.append(gain / sum(1 / np.log2(place + 2) for place in range(min(3, len(relevant)))))
    return float(np.mean(values))


@pytest.mark.parametrize("kind", ["z_score", "rank", "log_softmax"])
def test_two_members_have_the_weights_of_an_exhaustive_search(data, members, kind):
    search = search_of(members[:2], evaluator_of(data), kind)
    weights, value = search.run()
    start = int(np.argmax(search.alone))
    tried = [(1.0, factor) if start == 0 else (factor, 1.0) for factor in GRID]
    exhaustive = [dense_ndcg(data, members[:2], kind, normalised(each)) for each in tried if all(each)]
    assert value >= max(exhaustive + list(search.alone)) - 1e-12
    assert value == pytest.approx(
        dense_ndcg(data, members[:2], kind, weights) if all(weights) else max(search.alone), abs=1e-12
    )


def test_the_search_measures_what_a_dense_loop_measures(data, members):
    search = search_of(members, evaluator_of(data), "z_score")
    for weights in [(1, 1, 1), (3, 1, 0.05), (0, 1, 2)]:
        assert search.value(normalised(weights)) == pytest.approx(
            dense_ndcg(data, members, "z_score", normalised(weights)), abs=1e-12
        )
    assert search.readings == 3
    search.value(normalised((2, 2, 2)))
    assert search.readings == 3


def test_the_search_is_not_below_the_best_member(data, members):
    for kind in ("z_score", "rank", "log_softmax"):
        search = search_of(members, evaluator_of(data), kind)
        weights, value = search.run()
        assert value >= max(search.alone)
        assert sum(weights) == pytest.approx(1)
        assert 0 < search.readings <= 3 * 3 * len(GRID)


def test_few_candidates_suffice_for_the_first_ranks(data, members):
    """With five candidates a member, the union has fewer items than the catalogue; the best ones are among them."""
    evaluator = evaluator_of(data)
    for block in candidates_of(members, evaluator, "rank", 5):
        assert block.items.shape[1] <= 15
        real = block.items >= 0
        assert (np.diff(block.items, axis=1)[real[:, 1:]] > 0).all()
        assert np.isneginf(block.scores[:, ~real]).all()
        assert np.isfinite(block.scores[:, real]).all()


@pytest.mark.parametrize(
    ("events", "groups", "edges"),
    [([1, 2, 3, 4, 5, 6], 3, [2, 4]), ([5, 5, 5], 3, []), ([1, 9, 9, 9], 2, []), ([1, 1, 9], 2, [1]), ([1, 2], 1, [])],
)
def test_groups_of_activity(events, groups, edges):
    assert activity_edges(np.array(events), groups).tolist() == edges

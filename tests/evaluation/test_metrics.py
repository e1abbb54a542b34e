"""Every metric: the contract of the registry, naive loops, other libraries, and properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import ndcg_score
from sklearn.metrics.pairwise import cosine_similarity

import recpair
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.measure import Measure, measures_of
from recpair.evaluation.metrics import METRICS
from recpair.evaluation.names import needs, parse_metric
from recpair.evaluation.supplies import Context, Lists
from recpair.experiment.loading import check_keys, load_config
from recpair.models.ease import EASE
from recpair.models.mf import MF
from recpair.testing.metrics import random_lists

RANGES = {
    **dict.fromkeys(["recall", "precision", "ndcg", "mrr", "map", "hit", "coverage"], (0, 1)),
    **{"pooled_auc": (0, 1), "gini": (0, 1), "ils": (-1, 1), "debiased_recall": (0, 1)},
    **dict.fromkeys(["novelty", "popularity", "entropy"], (0, math.inf)),
}
EXACT = 1e-6  # float32 vectors
I = 9  # noqa: E741 - the axis


def of_lists(lists, rating=None) -> Interactions:
    user = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    item = np.array([i for items in lists for i in items], dtype=np.int64)
    return Interactions.from_indices(user, item, None, rating, vocabulary=Vocabulary.range(len(lists), I))


@pytest.mark.parametrize("name", METRICS)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1, 2, 5, I, I + 6]), st.booleans(), st.booleans())
def test_a_metric_has_its_shape_and_range(name, seed, n_lists, k, full, gains):
    measure = Measure.of(name, METRICS[name])
    value = measure.compute(random_lists(seed, n_lists, k, full=full, gains=gains), k)
    low, high = RANGES[name]
    if measure.per_list:
        assert value.shape == (n_lists,)
        assert value.dtype == np.float64
    else:
        assert isinstance(value, float)
    assert np.all(low - EXACT <= np.asarray(value))
    assert np.all(np.asarray(value) <= high + EXACT)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "items" in needs(metric)])
def test_empty_lists_are_worth_nothing(name):
    lists = random_lists(0, 3, 4)
    lists.items[:] = -1
    assert np.all(np.asarray(Measure.of(name, METRICS[name]).compute(lists, 4)) == 0)


def test_metrics_ask_for_the_legend_and_all_of_it_is_used():
    assert {name for metric in METRICS.values() for name in needs(metric)} == {*LEGEND}
    context = {name for name in vars(Context) if name in LEGEND}
    assert {name for name in vars(Lists) if name in LEGEND} | {"items"} | context == {*LEGEND}


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_gini_is_the_mean_difference_over_pairs(seed, k):
    lists = random_lists(seed, 5, k)
    x = np.array([(lists.items == i).sum() for i in range(I)])
    expected = sum(abs(a - b) for a in x for b in x) / (2 * I * x.sum()) if x.sum() else 0
    assert METRICS["gini"](lists.items, I) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_scipy_agrees_on_entropy(seed, k):
    lists = random_lists(seed, 5, k)
    x = np.array([(lists.items == i).sum() for i in range(I)])
    assert METRICS["entropy"](lists.items) == pytest.approx(stats.entropy(x, base=2) if x.sum() else 0)


def test_equal_and_concentrated_exposure():
    equal, one = np.arange(8).reshape(4, 2), np.full((4, 1), 3)
    assert (METRICS["gini"](equal, 8), METRICS["entropy"](equal)) == (0, 3)
    assert (METRICS["gini"](one, 8), METRICS["entropy"](one)) == (1 - 1 / 8, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_scikit_learn_agrees_on_intra_list_similarity(seed, k):
    lists = random_lists(seed, 4, k)
    vectors = lists.context.item_vectors
    vectors[0] = 0
    expected = []
    for row in lists.items:
        listed = row[row >= 0]
        similar = cosine_similarity(vectors[listed]) if len(listed) > 1 else np.zeros((0, 0))
        pairs = similar[np.triu_indices(len(similar), 1)]
        expected.append(pairs.mean() if len(pairs) else 0)
    assert METRICS["ils"](lists.items, vectors) == pytest.approx(expected, abs=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0, 3))
def test_a_naive_loop_agrees_on_debiased_recall(seed, k, exponent):
    lists = random_lists(seed, 4, k)
    expected = []
    for row, relevant in zip(lists.items, np.split(lists.relevant.items, lists.relevant.indptr[1:-1]), strict=True):
        weight = {int(i): max(lists.context.item_counts[i], 1) ** -exponent for i in relevant}
        expected.append(sum(weight.get(int(i), 0) for i in row) / sum(weight.values()))
    found = Measure.of("debiased_recall", METRICS["debiased_recall"], exponent=exponent).compute(lists, k)
    assert found == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_debiased_recall_without_a_bias_is_recall(seed, k):
    lists = random_lists(seed, 4, k)
    plain = Measure.of("recall", METRICS["recall"]).compute(lists, k)
    assert Measure.of("debiased_recall", METRICS["debiased_recall"], exponent=0.0).compute(lists, k) == pytest.approx(
        plain
    )
    lists.context.train = of_lists([range(I)] * 4)  # equally popular items
    assert Measure.of("debiased_recall", METRICS["debiased_recall"]).compute(lists, k) == pytest.approx(plain)


def rated(generator) -> tuple[MF, Interactions, Interactions, np.ndarray]:
    """An untrained model, training and held-out events, and the matrix of held-out ratings."""
    truth = generator.integers(1, 6, (12, I)) * (generator.random((12, I)) < 0.4)
    truth[:, 0] = 3
    user, item = np.nonzero(truth)
    held = Interactions.from_indices(user, item, None, truth[user, item], vocabulary=Vocabulary.range(12, I))
    return MF(of_lists([[]] * 12), embedding_dim=4, init="normal"), of_lists([[]] * 12), held, truth


@given(st.integers(0, 2**32 - 1), st.integers(1, I))
def test_scikit_learn_agrees_on_ndcg_of_ratings(seed, k):
    model, nothing, held, truth = rated(np.random.default_rng(seed))
    scores = (model.user_embedding.weight @ model.item_embedding.weight.T).detach().numpy()
    found = Evaluator(nothing, held, metrics=["ndcg"], cutoffs=[k], gain="rating").evaluate(model)
    assert found.means[f"ndcg@{k}"] == pytest.approx(ndcg_score(truth, scores, k=k), abs=1e-6)
    full = Evaluator(nothing, held, metrics=["ndcg"], cutoffs=[k], gain="rating", ideal="full").evaluate(model)
    assert full.means[f"ndcg@{k}"] <= found.means[f"ndcg@{k}"] + EXACT


def test_equal_ratings_are_binary_gains():
    model, nothing, held, _ = rated(np.random.default_rng(0))
    held.rating[:] = 4
    binary, rating = (Evaluator(nothing, held, cutoffs=[3], gain=gain).evaluate(model) for gain in ("binary", "rating"))
    assert rating.means == pytest.approx(binary.means)


def test_the_highest_rating_of_a_repeated_event_counts_and_0_is_no_gain():
    held = of_lists([[1, 1, 2], [3]], np.array([2.0, 5.0, 1.0, 0.0]))
    evaluator = Evaluator(of_lists([[], []]), held, metrics=["ndcg", "recall"], cutoffs=[1], gain="rating")
    found = evaluator.measure(np.array([[2], [3]], dtype=np.int32)).per_user
    assert found["ndcg@1"].to_list() == [1 / 5, 0]
    assert found["recall@1"].to_list() == [1 / 2, 1]


@pytest.mark.parametrize(
    ("rating", "message"),
    [
        (None, "evaluate.gain is rating, but the data has no ratings; map them with data.columns.rating"),
        (
            [1.0, math.nan],
            r"1 of 2 held-out events .* negative or missing, for example that of user 1 and item 2 \(nan\)",
        ),
        (
            [-1.0, 2.0],
            r"1 of 2 held-out events .* user 0 and item 1 \(-1\); correct the ratings, or set evaluate.gain=bin",
        ),
    ],
)
def test_ratings_that_are_no_gains(rating, message):
    held = of_lists([[1], [2]], None if rating is None else np.array(rating))
    with pytest.raises(DataError, match=message):
        Evaluator(of_lists([[], []]), held, cutoffs=[1], gain="rating")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["evaluate.metrics=[{name: debiased_recal}]"],
            "unknown metric 'debiased_recal'; did you mean debiased_recall",
        ),
        (["evaluate.metrics=[{name: debiased_recall, exponnt: 1}]"], "did you mean exponent"),
        (["evaluate.metrics=[{name: debiased_recall, exponent: -1}]"], "greater than or equal to 0"),
        (["evaluate.metrics=[{name: recall, exponent: 1}]"], "this component has no options"),
        (["evaluate.metrics=[{exponent: 1}]"], "evaluate.metrics.0.name is missing"),
        (["evaluate.metrics=[{name: [a]}]"], r"evaluate.metrics.0.name is \['a'\]"),
        (["evaluate.metrics=[debiased_recall, {name: debiased_recall, exponent: 1}]"], "names debiased_recall twice"),
        (["evaluate.metrics=[recall]", "evaluate.gain=rating", "evaluate.monitor=recall@10"], "uses gains; add ndcg"),
        (["evaluate.gain=stars"], "'binary' or 'rating', got 'stars'"),
    ],
)
def test_impossible_metrics_of_a_config(overrides, message):
    with pytest.raises(ConfigError, match=message) as reason:
        check_keys({}, overrides)
    assert len(str(reason.value)) <= 400


def test_options_of_metrics_are_filled_in():
    names = check_keys({}, ["evaluate.metrics=[recall, debiased_recall]"])["evaluate"]["metrics"]
    assert names == ["recall", {"name": "debiased_recall", "exponent": 1.5}]
    assert [each.name for each in measures_of(names)] == ["recall", "debiased_recall"]
    monitored = check_keys({}, ["evaluate.metrics=[recall]", "evaluate.gain=rating", "evaluate.monitor=ndcg@10"])
    assert monitored["evaluate"]["gain"] == "rating"


@pytest.mark.parametrize("model", ["ease", "item_knn", "neumf"])
def test_a_model_without_vectors_has_no_intra_list_similarity(model):
    asked = {"evaluate": {"metrics": ["ndcg", "ils"]}}
    with pytest.raises(
        ConfigError, match=rf"model {model} does not use evaluate.metrics \('ils'\)|which model {model}"
    ):
        load_config(asked | {"model": model})
    dropped = load_config(asked, [f"model={model}"])
    assert dropped["evaluate"]["metrics"] == ["ndcg"]
    assert any("evaluate.metrics ('ils')" in note for note in dropped.notes)
    with pytest.raises(ConfigError, match=r"evaluate\.monitor: ils needs item vectors"):
        load_config({"evaluate": {"monitor": "ils@10"}}, [f"model={model}"])


def test_a_fitted_model_without_vectors_is_refused_by_the_evaluator():
    train, held = of_lists([[0, 1], [1, 2]]), of_lists([[2], [3]])
    model = EASE(train)
    model.fit(train)
    with pytest.raises(ConfigError, match="ils needs item vectors, which EASE does not have"):
        Evaluator(train, held, metrics=["ils"], cutoffs=[2]).evaluate(model)


def test_a_run_measures_all_metrics_and_its_floor_by_its_own_vectors(checkerboard, quick):
    quick["evaluate"] |= {"metrics": [*METRICS], "cutoffs": [2, 5]}
    run = recpair.fit(quick, data=checkerboard)
    per_user = {name for name in METRICS if Measure.of(name, METRICS[name]).per_list}
    assert {name.partition("@")[0] for name in run.per_user.columns[2:]} == per_user
    assert {name.partition("@")[0] for name in run.metrics["test"]} == {*METRICS}
    assert run.metrics["popularity"]["ils@2"] not in (0, 1)
    again, floor = recpair.evaluate(run, data=checkerboard)
    assert (again.means, floor.means) == (run.metrics["test"], run.metrics["popularity"])


def test_a_metric_from_elsewhere_is_one_function(monkeypatch):
    def first_hit_of_rare_items(items, hits, item_counts, *, most: int = 1) -> float:
        return float((hits[:, 0] & (item_counts[items[:, 0]] <= most)).mean())

    monkeypatch.setitem(METRICS, "rare", first_hit_of_rare_items)
    train, held = of_lists([[0], [0]]), of_lists([[1], [0]])
    lists = np.array([[1], [0]], dtype=np.int32)
    for most, expected in ((1, 0.5), (2, 1.0)):
        evaluator = Evaluator(train, held, metrics=[{"name": "rare", "most": most}], cutoffs=[1], mask_seen=False)
        assert evaluator.measure(lists).means == {"rare@1": expected}
    assert parse_metric("rare@3") == ("rare", 3)


def test_a_metric_that_asks_or_returns_what_is_not_in_the_contract():
    def unknown(hit) -> float:
        raise AssertionError

    def untyped(hits):
        raise AssertionError

    with pytest.raises(ConfigError, match=r"asks for 'hit' before \*, which is not supplied; did you mean hits"):
        Measure.of("unknown", unknown)
    with pytest.raises(ConfigError, match=r'metric untyped needs a return annotation: Float\[np.ndarray, "B"\]'):
        Measure.of("untyped", untyped)


def test_vectors_are_read_without_gradients():
    model, nothing, held, _ = rated(np.random.default_rng(1))
    Evaluator(nothing, held, metrics=["ils"], cutoffs=[3]).evaluate(model)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()


def test_a_borrowed_model_without_vectors_is_refused_before_it_trains(checkerboard, quick, monkeypatch):
    pytest.importorskip("recbole")
    quick["evaluate"]["metrics"] = ["ndcg", "ils"]
    monkeypatch.setattr("recpair.experiment.fit.train", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(ConfigError, match="ils needs item vectors"):
        recpair.fit(quick | {"model": "recbole/NeuMF"}, data=checkerboard)

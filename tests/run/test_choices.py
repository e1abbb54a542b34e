"""Options of recommend: excluded items, candidates of each user, diversity and explanations."""

import json
import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recpair
from recpair.batch import Batch
from recpair.cli import main
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import DataError, RunError, UnknownIdError
from recpair.models import MODELS, Model
from recpair.run.diversity import Diversity, maximal_marginal_relevance
from recpair.run.recommend import Recommender
from recpair.run.similarity import ItemSimilarity
from recpair.seeds import isolated

N_USERS, N_ITEMS = 30, 24
TERMS = ["bspm", "ease", "gf_cf", "ials", "item_knn", "markov", "rp3beta", "sansa", "slim", "transitions", "turbo_cf"]


def events(weight=None):
    """Random histories of 3 to 12 items, in order of time, with repeated items."""
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(N_USERS), rng.integers(3, 13, N_USERS))
    item = np.append(rng.integers(0, N_ITEMS, len(user) - N_ITEMS), np.arange(N_ITEMS))
    time = np.arange(len(user))
    return Interactions.from_indices(user, item, time, weight=weight, vocabulary=Vocabulary.range(N_USERS, N_ITEMS))


def recommender(name, train=None, **options) -> Recommender:
    train = events() if train is None else train
    with isolated(0):
        model = MODELS[name](train, **options)
        if hasattr(model, "fit"):
            model.fit(train)
    return Recommender(model.eval(), train)


@pytest.fixture(scope="module")
def mf():
    return recommender("mf", embedding_dim=6)


def test_excluded_items_are_never_recommended(mf, caplog):
    every = mf.recommend([0, 1], k=5)
    gone = every["item_id"].unique().to_list()[:3]
    left = mf.recommend([0, 1], k=5, exclude=[*gone, 999])
    assert not set(gone) & set(left["item_id"])
    caplog.set_level(logging.INFO, logger="recpair")
    mf.recommend([0], k=1, exclude=[999])
    assert "exclude: ids without a training event have no effect (1)" in caplog.text
    assert mf.recommend([0], k=3, exclude=[]).equals(mf.recommend([0], k=3))


def test_exclude_and_items_leave_their_difference(mf):
    frame = mf.recommend(k=2, items=[3, 4, 5], exclude=[4], exclude_seen=False)
    assert set(frame["item_id"]) == {3, 5}
    with pytest.raises(RunError, match="there are 2 items to rank"):
        mf.recommend(k=3, items=[3, 4, 5], exclude=[4])
    with pytest.raises(RunError, match="exclude leaves no item to rank"):
        mf.recommend(k=1, items=[3], exclude=[3])
    with pytest.raises(RunError, match="exclude is 'x'; expected a list"):
        mf.recommend(k=1, exclude="x")


def candidates():
    return pl.DataFrame({"user_id": [7, 7, 2, 7, 2], "item_id": [1, 5, 3, 9, 3]})


def test_candidates_of_each_user_are_ranked_by_the_model(mf):
    frame = mf.recommend(k=5, per_user_items=candidates(), exclude_seen=False)
    scored = candidates().unique(maintain_order=True)
    scored = scored.with_columns(mf.score(scored["user_id"], scored["item_id"])["score"])
    for user in (7, 2):
        own = scored.filter(pl.col("user_id") == user).sort("score", descending=True)
        found = frame.filter(pl.col("user_id") == user)
        assert found["item_id"].to_list() == own["item_id"].to_list()
        assert found["score"].to_list() == pytest.approx(own["score"].to_list())
    assert frame["user_id"].unique(maintain_order=True).to_list() == [7, 2]


def test_seen_candidates_are_excluded_unless_asked_for(mf):
    seen = mf.train.items_of(7)[:2].tolist()
    frame = pl.DataFrame({"user_id": [7] * 2, "item_id": seen})
    assert mf.recommend(k=5, per_user_items=frame).is_empty()
    assert set(mf.recommend(k=5, per_user_items=frame, exclude_seen=False)["item_id"]) == set(seen)


def test_users_without_candidates_get_nothing_and_their_number_is_logged(mf, caplog):
    caplog.set_level(logging.INFO, logger="recpair")
    frame = mf.recommend([7, 11, 12], k=3, per_user_items=candidates(), exclude_seen=False)
    assert frame["user_id"].unique().to_list() == [7]
    assert "get no recommendations (2)" in caplog.text


def test_unknown_candidates_follow_on_unknown(mf):
    frame = pl.DataFrame({"user_id": [7, 7, 99], "item_id": [1, 500, 2]})
    with pytest.raises(UnknownIdError, match="unknown item_id: 500"):
        mf.recommend([7], per_user_items=frame)
    with pytest.raises(UnknownIdError, match="unknown user_id: 99"):
        mf.recommend(per_user_items=frame.filter(pl.col("item_id") < 500))
    skipped = mf.recommend(k=3, per_user_items=frame, on_unknown="skip", exclude_seen=False)
    assert skipped.select("user_id", "item_id").rows() == [(7, 1)]
    popular = mf.recommend(k=3, per_user_items=frame, on_unknown="popular", exclude_seen=False)
    assert popular.select("user_id", "item_id", "fallback").rows() == [(7, 1, False), (99, 2, True)]


def test_candidates_of_histories_are_given_by_position(mf):
    frame = pl.DataFrame({"user_id": [1, 0], "item_id": [4, 6]})
    found = mf.recommend(histories=[[1, 2], [3]], k=3, per_user_items=frame)
    assert found.select("user_id", "item_id").rows() == [(0, 6), (1, 4)]


@pytest.mark.parametrize("wrong", [[1, 2], {"user_id": [1]}, pl.DataFrame({"user_id": [1]}), pl.DataFrame({"a": [1]})])
def test_candidates_that_are_no_frame_of_pairs_are_refused(mf, wrong):
    with pytest.raises(RunError, match=r"per_user_items is|has no column"):
        mf.recommend(per_user_items=wrong)
    with pytest.raises(RunError, match="has no rows"):
        mf.recommend(per_user_items=candidates().head(0))


def naive_mmr(relevance, similarity, k, trade_off):
    """The definition, by a loop over all candidates at each step."""
    chosen = [max(range(len(relevance)), key=lambda i: (relevance[i], -i))]
    while len(chosen) < min(k, len(relevance)):
        left = [i for i in range(len(relevance)) if i not in chosen]
        value = {i: (1 - trade_off) * relevance[i] - trade_off * max(similarity[j][i] for j in chosen) for i in left}
        chosen.append(max(left, key=lambda i: (value[i], -i)))
    return chosen


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_diversity_is_maximal_marginal_relevance(seed, size, k, trade_off):
    rng = np.random.default_rng(seed)
    relevance, similarity = np.sort(rng.random(size))[::-1], rng.uniform(-1, 1, (size, size))
    found = maximal_marginal_relevance(relevance, similarity, k, trade_off)
    assert found.tolist() == naive_mmr(relevance.tolist(), similarity.tolist(), k, trade_off)


def test_a_duplicate_of_the_best_item_is_chosen_last():
    similarity = np.eye(3)
    similarity[0, 1] = similarity[1, 0] = 1.0
    items, scores = np.array([[5, 6, 7]], dtype=np.int32), np.array([[3.0, 2.9, 1.0]], dtype=np.float32)
    assert Diversity(0.0, lambda _: similarity).choose(items, scores, 3)[0].tolist() == [[5, 6, 7]]
    chosen, kept = Diversity(0.6, lambda _: similarity).choose(items, scores, 2)
    assert chosen.tolist() == [[5, 7]]
    assert kept.tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize("name", ["mf", "ease", "popularity", "neumf", "sasrec"])
def test_diversity_lowers_the_similarity_of_the_list_and_keeps_the_first_item(name):
    made = recommender(name)
    similarity = ItemSimilarity(made.model, made.train)

    def mean_similarity(frame):
        lists = frame.partition_by("user_id")
        return np.mean([np.tril(similarity.among(part["item_id"].to_numpy()), -1).sum() for part in lists])

    plain, varied = made.recommend(k=5), made.recommend(k=5, diversity=0.9)
    assert made.recommend(k=5, diversity=0).equals(plain)
    assert mean_similarity(varied) < mean_similarity(plain)
    first = [frame.filter(pl.col("rank") == 1)["item_id"].to_list() for frame in (plain, varied)]
    assert first[0] == first[1]
    pairs = varied.sort("user_id", "item_id")
    scores = pl.concat([plain, varied]).unique(["user_id", "item_id"])
    assert len(scores) > len(pairs)
    if name != "popularity":
        again = made.score(pairs["user_id"], pairs["item_id"])["score"]
        assert again.to_list() == pytest.approx(pairs["score"].to_list(), abs=1e-5)


def test_similarity_without_vectors_is_the_cosine_of_training_users():
    made = recommender("ease")
    matrix = made.train.to_scipy().toarray()
    unit = matrix / np.linalg.norm(matrix, axis=0)
    items = np.array([3, 0, 8])
    found = ItemSimilarity(made.model, made.train).among(items)
    np.testing.assert_allclose(found, (unit.T @ unit)[np.ix_(items, items)], atol=1e-6)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "x", True, None, float("nan")])
def test_diversity_outside_its_range_is_refused(mf, wrong):
    with pytest.raises(RunError, match="expected a number from 0 to 1"):
        mf.recommend([0], diversity=wrong)


@pytest.mark.parametrize("name", TERMS)
def test_terms_add_up_to_the_score(name):
    made = recommender(name)
    every = np.arange(N_ITEMS)
    for user in (0, 3, 17):
        history = made.train.items_of(user)
        batch = made.model.batch_of(torch.tensor([user]), Histories((made.train,)))
        expected = made.model.score(batch).catalogue()[0].numpy()
        distinct, terms = made.model.contributions(history, every)
        assert set(distinct) <= set(history)
        np.testing.assert_allclose(terms.sum(0), expected, atol=2e-5 * np.abs(expected).max() + 1e-6)
        folded = made.model.fold_in([history]).catalogue()[0].numpy()
        np.testing.assert_allclose(terms.sum(0), folded, atol=1e-4 * np.abs(expected).max())


def test_every_model_that_states_terms_is_tested():
    stating = {name for name, model in MODELS.items() if model.contributions is not Model.contributions}
    assert stating == set(TERMS)


def test_terms_of_transitions_with_text_and_a_short_history():
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    train = events()
    model = MODELS["transitions"](train, vectors, last=4)
    model.fit(train)
    for history in ([3], [3, 5], [5, 3, 5, 9, 11, 2]):
        distinct, terms = model.contributions(np.array(history), np.arange(N_ITEMS))
        expected = model.fold_in([np.array(history)]).catalogue()[0].numpy()
        np.testing.assert_allclose(terms.sum(0), expected, atol=1e-5)
        assert set(distinct) == set(history[-4:])


def test_terms_of_ials_use_event_weights():
    train = events(np.random.default_rng(1).uniform(0.5, 3, len(events())).astype(np.float32))
    made = recommender("ials", train)
    expected = made.model.score(Batch.of_users(torch.tensor([4]))).catalogue()[0].numpy()
    _, terms = made.explainer.contributions(made._history_of(4), np.arange(N_ITEMS))
    np.testing.assert_allclose(terms.sum(0), expected, atol=1e-4)


def test_terms_of_ials_follow_another_fit():
    made, other = recommender("ials"), events().select(np.arange(len(events())) % 3 > 0)
    made.model.contributions(made.train.items_of(4), np.arange(N_ITEMS))
    made.model.fit(other)
    expected = made.model.score(Batch.of_users(torch.tensor([4]))).catalogue()[0].numpy()
    _, terms = made.model.contributions(other.items_of(4), np.arange(N_ITEMS))
    np.testing.assert_allclose(terms.sum(0), expected, atol=1e-4)


def test_leave_one_out_is_the_difference_of_two_scores():
    made = recommender("sasrec", dropout=0.0)
    history, items = made.train.items_of(5), np.array([1, 2, 7])
    distinct, found = made.explainer.contributions((history, None), items)
    assert made.explainer.kind == "leave_one_out"
    for item, row in zip(distinct, found, strict=True):
        both = [history, history[history != item]]
        scores = np.stack([made.model.fold_in([each]).catalogue()[0, items].detach().numpy() for each in both])
        np.testing.assert_allclose(row, scores[0] - scores[1], atol=1e-5)


def test_leave_one_out_removes_the_latest_items_from_the_whole_history(monkeypatch):
    monkeypatch.setattr("recpair.run.explaining.LATEST", 4)
    made = recommender("neumf")
    history, items = np.array([9, 8, 1, 2, 3, 4, 1, 5]), np.array([0, 7])
    distinct, found = made.explainer.contributions((history, None), items)
    assert distinct.tolist() == [1, 3, 4, 5]
    for item, row in zip(distinct, found, strict=True):
        both = made.model.fold_in([history, history[history != item]]).catalogue()[:, items].detach().numpy()
        np.testing.assert_allclose(row, both[0] - both[1], atol=1e-5)


def test_models_with_user_vectors_are_explained_by_similarity(mf):
    distinct, found = mf.explainer.contributions((mf.train.items_of(5), None), np.array([1, 2]))
    unit = torch.nn.functional.normalize(mf.model.item_embedding.weight.detach(), dim=1).numpy()
    assert mf.explainer.kind == "similarity"
    np.testing.assert_allclose(found, unit[distinct] @ unit[[1, 2]].T, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ease", "term"),
        ("mf", "similarity"),
        ("lightgcn", "similarity"),
        ("neumf", "leave_one_out"),
        ("gru4rec", "leave_one_out"),
    ],
)
def test_an_explanation_lists_the_largest_contributions(name, kind):
    made = recommender(name)
    frame = made.recommend([2, 9], k=3, explain=True)
    assert made.explainer.kind == kind
    assert frame.drop("explanation").equals(made.recommend([2, 9], k=3))
    for row in frame.iter_rows(named=True):
        history = made._history_of(row["user_id"])
        distinct, values = made.explainer.contributions(history, np.array([row["item_id"]]))
        best = sorted(zip(-values[:, 0], distinct, strict=True))[:3]
        expected = [(item, -value) for value, item in best if value < 0]
        assert [part["item_id"] for part in row["explanation"]] == [item for item, _ in expected]
        found = [part["contribution"] for part in row["explanation"]]
        assert found == pytest.approx([value for _, value in expected], rel=1e-4)


def test_what_does_not_depend_on_the_history_has_no_explanation(mf):
    assert recommender("popularity").recommend([1], k=2, explain=True)["explanation"].to_list() == [[], []]
    frame = mf.recommend([1, 99], k=1, explain=True, on_unknown="popular")
    assert [len(row) > 0 for row in frame["explanation"].to_list()] == [True, False]


def test_histories_are_explained_by_their_items():
    frame = recommender("ease").recommend(histories=[[3, 5, 9]], k=4, explain=True)
    assert {part["item_id"] for row in frame["explanation"] for part in row} <= {3, 5, 9}


def test_a_model_that_cannot_score_a_history_has_no_explanation(mf, monkeypatch):
    def refuse(self, histories):
        raise RunError("it cannot")

    made = recommender("neumf")
    monkeypatch.setattr(type(made.model), "fold_in", refuse)
    with pytest.raises(RunError, match="explain requires scores of histories without an item: it cannot"):
        made.recommend([1], explain=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of EASE with titles, and columns uid and sku."""
    path = tmp_path_factory.mktemp("choices")
    user, item = np.nonzero(np.random.default_rng(0).random((20, 16)) < 0.4)
    frame = pl.DataFrame({"uid": user, "sku": [f"i{i}" for i in item]})
    items = pl.DataFrame({"item_id": [f"i{i}" for i in range(16)], "title": [f"Film {i}" for i in range(16)]})
    config = {
        "data": {"columns": {"user": "uid", "item": "sku"}},
        "model": {"name": "ease", "ridge": 1.0},
        "evaluate": {"cutoffs": [2], "monitor": "ndcg@2"},
        "tracking": None,
        "output": str(path / "run"),
    }
    return recpair.fit(config, data=frame, items=items).folder


def test_titles_are_added_to_explanations(folder):
    run = recpair.load(folder)
    frame = run.recommend([3], k=2, explain=True, titles=True)
    parts = [part for row in frame["explanation"] for part in row]
    assert parts
    assert all(part["title"] == f"Film {part['item_id'][1:]}" for part in parts)
    assert "title" not in run.recommend([3], k=2, explain=True)["explanation"][0][0]
    pandas = run.recommend(per_user_items=pd.DataFrame({"uid": [3, 3], "sku": ["i1", "i2"]}), exclude_seen=False)
    assert isinstance(pandas, pd.DataFrame)
    assert sorted(pandas["item_id"]) == ["i1", "i2"]


def cli(folder, out, *options):
    return main(["recommend", str(folder), "--out", str(out), *map(str, options)])


def test_the_command_line_has_the_same_options(folder, tmp_path):
    run, out = recpair.load(folder), tmp_path / "r.jsonl"
    (tmp_path / "gone.txt").write_text("i1\ni2\ni77\n")
    (tmp_path / "some.csv").write_text("sku,title\n" + "".join(f"i{i},x\n" for i in range(10)))
    (tmp_path / "none.txt").write_text("")
    options = ["--exclude", tmp_path / "gone.txt", "--items", tmp_path / "some.csv", "--diversity", 0.4, "--explain"]
    assert cli(folder, out, "--all", "--k", 3, *options) == 0
    expected = run.recommend(k=3, exclude=["i1", "i2"], items=[f"i{i}" for i in range(10)], diversity=0.4, explain=True)
    found = pl.read_ndjson(out)
    assert found["item_id"].to_list() == expected["item_id"].to_list()
    assert found["explanation"].to_list()[0][0]["item_id"] == expected["explanation"].to_list()[0][0]["item_id"]
    assert cli(folder, tmp_path / "r.csv", "--all", "--explain", "--exclude", tmp_path / "none.txt") == 0
    assert json.loads(pl.read_csv(tmp_path / "r.csv")["explanation"][0])[0].keys() == {"item_id", "contribution"}


def test_candidates_come_from_a_file(folder, tmp_path, capsys):
    (tmp_path / "c.csv").write_text("uid,sku,score\n3,i1,9\n3,i2,8\n5,i4,7\n")
    out = tmp_path / "r.csv"
    assert cli(folder, out, "--per-user-items", tmp_path / "c.csv", "--include-seen") == 0
    assert set(pl.read_csv(out).select("user_id", "item_id").rows()) == {(3, "i1"), (3, "i2"), (5, "i4")}
    capsys.readouterr()
    for text, message in (
        ("uid,sku\n3,\n", "row 1: expected a user and an item, one is missing"),
        ("uid,sku\n", "has no rows"),
        ("uid,other\n3,i1\n", "has no column 'sku' or 'item_id'"),
        ("uid,sku\n3,i99\n", "unknown item_id: i99"),
    ):
        (tmp_path / "c.csv").write_text(text)
        assert cli(folder, out, "--per-user-items", tmp_path / "c.csv") == 2
        assert message in capsys.readouterr().err
    assert cli(folder, tmp_path / "c.csv", "--per-user-items", tmp_path / "c.csv") == 2
    assert cli(folder, out) == 2
    assert "give either --users FILE or --all" in capsys.readouterr().err


def test_a_file_without_items_is_refused_unless_it_excludes(folder, tmp_path):
    from recpair.run.batch import read_ids

    (tmp_path / "none.txt").write_text("\n")
    assert read_ids(tmp_path / "none.txt", "item", ["sku"], may_be_empty=True).is_empty()
    with pytest.raises(DataError, match="contains no items"):
        read_ids(tmp_path / "none.txt", "item", ["sku"])

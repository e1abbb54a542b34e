"""Items that are added to a run: their scores against naive loops, and the scores of known items unchanged."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.cli import main
from recpair.data.attributes import Attributes, aligned
from recpair.data.histories import Histories
from recpair.data.vocabulary import Ids
from recpair.errors import RecpairError
from recpair.models import MODELS, Vectors
from recpair.run.item_map import spread

KINDS = ["tea", "car", "sea"]
WORDS = {"tea": "green leaf cup", "car": "engine wheel road", "sea": "wave salt ship"}
SIZE = 60


def kind(item):
    return KINDS[int(item) % 3]


def row(item, name=None):
    return {
        "item_id": item if name is None else name,
        "title": f"{WORDS[kind(item)]} no{item % 7}",
        "genres": [kind(item), "all"],
        "price": float(item),
    }


@pytest.fixture(scope="module")
def world():
    """Users of one kind of items each, who have interacted with half of them; an item table with words of the kind."""
    generator = np.random.default_rng(0)
    rows = [
        (u, i, t)
        for u in range(45)
        for t, i in enumerate(generator.permutation(SIZE))
        if i % 3 == u % 3 and generator.random() < 0.5
    ]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return events, pl.DataFrame([row(i) for i in range(SIZE)])


TEXTS = {"name": "tfidf", "dim": 8, "template": "{title}. {genres}"}
CONFIG = {"split": "whole", "evaluate": {"monitor": None}, "tracking": None, "semantics": TEXTS}
TABLES = ["ease", "item_knn", "transitions", "popularity", "neumf", "gf_cf"]
OPTIONS = {"mf": {"train": {"epochs": 2}}, "neumf": {"train": {"epochs": 2}}, "sasrec": {"train": {"epochs": 2}}}
OPTIONS |= {"ials": {"model": {"name": "ials", "embedding_dim": 8, "ridge": 1.0}}}


@pytest.fixture(scope="module")
def run_of(world, tmp_path_factory):
    events, items = world
    runs = {}

    def fitted(name):
        if name not in runs:
            config = CONFIG | {"model": name, "output": str(tmp_path_factory.mktemp("runs") / name)}
            runs[name] = recpair.fit(config | OPTIONS.get(name, {}), data=events, items=items)
        return runs[name]

    return fitted


NEW = pl.DataFrame([row(300, "tea!"), row(301, "car!"), row(302, "sea!")])


@pytest.mark.parametrize("name", ["ials", "mf", "sasrec", *TABLES])
def test_known_items_keep_their_scores_and_new_items_are_ranked(name, run_of, world):
    run = run_of(name)
    more = run.add_items(NEW)
    users, items = world[0]["user_id"].unique().to_list(), world[1]["item_id"].to_list()
    pairs = [[u for u in users for _ in items], items * len(users)]
    assert run.score(*pairs)["score"].equals(more.score(*pairs)["score"])
    before = run.recommend(k=20, exclude_seen=True)
    after = more.recommend(k=23, exclude_seen=True)
    known = after.filter(~pl.col("item_id").str.ends_with("!")).with_columns(pl.col("item_id").cast(pl.Int64))
    both = before.join(known, on=["user_id", "item_id"], suffix="_after")
    assert len(both) == len(before)
    assert (both["score"] == both["score_after"]).all()
    assert set(more.recommend(k=60, exclude_seen=False)["item_id"]) >= {"tea!", "car!", "sea!"}
    scored = more.score([0, 1], ["tea!", "car!"])
    listed = more.recommend([0, 1], k=60, exclude_seen=False)
    for user, item, score in scored.rows():
        same = listed.filter((pl.col("user_id") == user) & (pl.col("item_id") == item))["score"]
        assert same.to_list() == pytest.approx([score], rel=1e-5, abs=1e-6)
    assert not (run.folder / "new").exists()
    assert run.added is None


@pytest.mark.parametrize("name", ["ials", "ease", "item_knn", "gf_cf", "transitions"])
def test_users_prefer_the_new_item_of_their_kind(name, run_of):
    more = run_of(name).add_items(NEW)
    frame = more.recommend(items=["tea!", "car!", "sea!"], k=1)
    ours = [KINDS[u % 3] + "!" for u in frame["user_id"]]
    assert np.mean([a == b for a, b in zip(ours, frame["item_id"], strict=True)]) > 0.95
    strangers = more.recommend(histories=[["tea!"], ["sea!", 2]], k=5)
    assert [kind(i) for i in strangers["item_id"] if not i.endswith("!")].count("tea") >= 3
    assert "sea!" not in strangers.filter(pl.col("user_id") == 1)["item_id"]


@pytest.mark.parametrize("name", ["ials", "ease", "item_knn"])
def test_the_options_of_recommend_work_with_new_items(name, run_of):
    more = run_of(name).add_items(NEW)
    frame = more.recommend([0, 1], k=12, diversity=0.3, explain=True, exclude=[3, 6], titles=True)
    assert not {3, 6} & set(frame["item_id"])
    assert frame["explanation"].list.len().max() == 3
    pairs = pl.DataFrame({"user_id": [0, 0, 1], "item_id": ["tea!", "car!", "sea!"]})
    assert more.recommend(per_user_items=pairs, k=1)["item_id"].to_list() == ["tea!", "sea!"]
    explained = more.recommend(histories=[["tea!", 3]], k=3, explain=True)
    assert set(explained["explanation"].explode().struct["item_id"].drop_nulls()) <= {"tea!", "3"}


@pytest.mark.parametrize("name", ["ials", "ease"])
def test_similar_items_of_a_new_item_are_of_its_kind(name, run_of):
    found = run_of(name).add_items(NEW).similar_items(["car!", 1], k=5)
    assert {kind(i) for i in found["similar_item_id"] if not i.endswith("!")} == {"car"}


def test_scores_by_neighbours_are_those_of_a_naive_loop(run_of, world):
    """The mean of the scores of the k nearest texts, weighted by their cosines, and spread around the mean score."""
    run = run_of("ease")
    more = run.add_items(NEW)
    scores = run.model.score(run.model.batch_of(torch.arange(45), Histories((run.recommender.train,)))).catalogue()
    texts = [f"{r['title']}. {', '.join(r['genres'])}" for r in [*world[1].to_dicts(), *NEW.to_dicts()]]
    encoder = recpair.semantics.ENCODERS["tfidf"](dim=8)
    encoder.learn(texts[:SIZE])
    vectors = encoder.encode(texts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    quality = more.added.quality
    for place, item in enumerate(NEW["item_id"]):
        cosines = vectors[SIZE + place] @ vectors[:SIZE].T
        near = np.argsort(-cosines.round(5), kind="stable")[: quality.neighbours]
        expected = scores[:, near].numpy() @ cosines[near] / cosines[near].sum()
        mean = scores.numpy().mean(1)
        expected = mean + quality.spread * (expected - mean)
        found = more.score(list(range(45)), [item] * 45)["score"].to_numpy()
        assert np.corrcoef(found, expected)[0, 1] > 0.98  # equal texts may be chosen in another order
    assert quality.r2 > 0.2


def test_vectors_are_a_ridge_regression_of_texts_categories_and_numbers(run_of, world):
    from sklearn.linear_model import Ridge

    run = run_of("ials")
    more, plain = run.add_items(NEW), run.add_items(NEW, exposure=None)
    quality = more.added.quality
    table = pl.concat([world[1], NEW.with_columns(item_id=pl.Series([300, 301, 302]))])
    texts = [f"{r['title']}. {', '.join(r['genres'])}" for r in table.to_dicts()]
    encoder = recpair.semantics.ENCODERS["tfidf"](dim=8)
    encoder.learn(texts[:SIZE])
    words = encoder.encode(texts)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    of = [[name in r["genres"] for name in ("all", "car", "sea", "tea")] for r in table.to_dicts()]
    price = table["price"].to_numpy()
    rest = np.column_stack([of, (price - price[:SIZE].mean()) / price[:SIZE].std()])
    x = np.concatenate([part / np.sqrt(part[:SIZE].var(0).sum()) for part in (words, rest)], axis=1)
    vectors = run.model.item_vectors.numpy()
    reference = Ridge(quality.strength).fit(x[:SIZE], vectors)
    expected = run.model.user_vectors.numpy() @ reference.predict(x[SIZE:]).T
    found = plain.score(np.repeat(np.arange(45), 3), NEW["item_id"].to_list() * 45)["score"].to_numpy()
    np.testing.assert_allclose(found.reshape(45, 3), expected, rtol=1e-3, atol=1e-4)
    mean = (run.model.user_vectors @ run.model.item_vectors.mean(0)).numpy()[:, None]
    wide = more.score(np.repeat(np.arange(45), 3), NEW["item_id"].to_list() * 45)["score"].to_numpy()
    np.testing.assert_allclose(wide.reshape(45, 3), mean + quality.spread * (expected - mean), rtol=1e-3, atol=1e-3)
    assert quality.r2 > 0.2
    assert quality.cosine > 0.5
    assert plain.added.quality.spread == 1


@pytest.mark.parametrize("exposure", [0.5, 1.0, 2.0])
def test_the_spread_gives_held_out_items_their_share_of_the_lists(exposure):
    generator = np.random.default_rng(3)
    scores = generator.normal(size=(200, 300))
    sample = np.arange(0, 300, 10)
    held_out = 0.3 * scores[:, sample] + 0.05 * generator.normal(size=(200, 30))
    seen = generator.random((200, 300)) < 0.05
    factor = spread(scores, held_out, sample, seen, exposure)

    def listed(values):
        every = scores.copy()
        every[:, sample] = values
        every[seen] = -np.inf
        return np.isin(np.argsort(-every, axis=1)[:, :10], sample).sum()

    mean = scores.mean(1, keepdims=True)
    target = exposure * listed(scores[:, sample])
    assert listed(mean + factor * (held_out - mean)) == pytest.approx(target, rel=0.02)


def test_held_out_items_of_the_vocabulary_can_be_added(world, tmp_path):
    """An item with an id but without a training event is placed where it is; its earlier scores do not matter."""
    events, items = world
    config = CONFIG | {"split": "cold_items", "evaluate": {"monitor": "recall@10"}, "output": str(tmp_path / "run")}
    run = recpair.fit(config | OPTIONS["ials"], data=events, items=items)
    train = run.recommender.train
    cold = train.vocabulary.items.of(np.flatnonzero(train.item_counts == 0)).to_list()
    assert len(cold) == 6
    assert not set(run.recommend(k=10)["item_id"]) & set(cold)
    more = run.add_items(items.filter(pl.col("item_id").is_in(cold)))
    assert more.recommender.train.n_items == SIZE
    assert set(more.recommend(k=54, exclude_seen=False)["item_id"]) & set(cold)
    assert run.metrics["test"]["recall@10"] > 0.2  # the evaluation adds them too
    assert recpair.fit(config | OPTIONS["ials"], ["evaluate.candidates=cold", "evaluate.cutoffs=[2]",
        "evaluate.monitor=recall@2"], data=events, items=items).metrics["test"]["recall@2"] > 0.6  # fmt: skip


def test_known_items_are_left_as_they_are_and_empty_texts_are_said(run_of, caplog):
    frame = pl.concat([NEW, pl.DataFrame([row(5)]).with_columns(pl.col("item_id").cast(pl.String))])
    empty = NEW.head(1).with_columns(item_id=pl.lit("none"), title=None, genres=None, price=None)
    with caplog.at_level(logging.INFO, "recpair"):
        more = run_of("ease").add_items(pl.concat([frame, empty.cast(frame.schema)]))
    assert "items with training events are left as they are (1 of 5): 5" in caplog.messages
    assert "1 of 4 new items have no known word in their text" in caplog.messages
    assert any("held out one by one, R²" in message for message in caplog.messages)
    assert len(more.added.frame) == 4
    titled = more.recommend([0], k=64, exclude_seen=False, titles=True)
    assert titled.filter(pl.col("item_id") == "tea!")["title"].to_list() == ["green leaf cup no6"]
    average = titled.filter(pl.col("item_id") == "none")["score"].item()
    known = titled.filter(~pl.col("item_id").str.contains("[!n]"))["score"].mean()
    assert average == pytest.approx(known, abs=1e-5)


def test_a_file_is_read_with_the_types_of_the_table(run_of, tmp_path):
    (tmp_path / "new.csv").write_text("item_id,title,genres,price\ntea!,green leaf cup no6,tea|all,300\n")
    run = run_of("ials")
    of_file, of_frame = run.add_items(tmp_path / "new.csv"), run.add_items(NEW.head(1))
    assert of_file.recommend(k=20).equals(of_frame.recommend(k=20))
    assert of_frame.recommend(k=20).equals(run.add_items(NEW.head(1).to_pandas()).recommend(k=20))


def test_the_command_recommends_new_items(run_of, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_text("item_id,title,genres,price\ntea!,green leaf cup no6,tea|all,300\n")
    command = [
        "recommend",
        str(run_of("ease").folder),
        "--all",
        "--k",
        "60",
        "--new-items",
        "new.csv",
        "--titles",
        "--out",
    ]
    assert main([*command, "recs.csv"]) == 0
    found = pl.read_csv("recs.csv").filter(pl.col("item_id") == "tea!")
    assert len(found) == 45
    assert found["title"].unique().to_list() == ["green leaf cup no6"]
    assert main([*command, "new.csv"]) == 2
    assert "--out would overwrite the file of --new-items" in capsys.readouterr().err
    Path("new.csv").write_text("item_id,title\ntea!,green\n")
    assert main([*command, "other.csv"]) == 2
    assert "error: new.csv: no column 'genres', which the item table of the run has" in capsys.readouterr().err
    assert not Path("other.csv").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("title"), "the new items: no column 'title', which the item table of the run has"),
        (lambda f: f.rename({"item_id": "sku"}), "no column 'item_id' .found: sku, title, genres, price."),
        (lambda f: f.with_columns(item_id=pl.lit("a")), "row 2: item_id 'a' occurs twice"),
        (lambda f: f.with_columns(item_id=pl.Series(["a", None, "b"])), "row 2: item_id is empty"),
        (lambda f: f.with_columns(price=pl.Series(["1", "x", "2"])), "row 2: price is 'x'; expected Float64"),
        (lambda f: f.with_columns(title=pl.Series([["a"]] * 3)), "column 'title' is of type List"),
        (lambda f: f.head(0), "the new items: no rows"),
        (lambda f: f.head(1).with_columns(item_id=pl.lit(5)), "all items have training events already"),
        (lambda f: "nowhere.csv", "nowhere.csv"),
        (lambda f: [1, 2], "expected a polars or pandas frame"),
    ],
)
def test_an_invalid_frame_is_refused_in_a_line(change, message, run_of):
    with pytest.raises(RecpairError, match=message):
        run_of("ials").add_items(change(NEW))


def test_other_invalid_uses_are_refused(run_of, world, tmp_path, monkeypatch):
    run = run_of("ials")
    for exposure in (0, -1, "much", float("inf")):
        with pytest.raises(RecpairError, match=r"exposure is .*; expected a number above 0, or None"):
            run.add_items(NEW, exposure=exposure)
    with pytest.raises(RecpairError, match="the run has new items already"):
        run.add_items(NEW).add_items(NEW)
    with pytest.raises(RecpairError, match=r"semantics.template names 'titel'"):
        run.add_items(NEW, semantics={"name": "tfidf", "template": "{titel}"})
    with pytest.raises(RecpairError, match=r"semantics.dimm"):
        run.add_items(NEW, semantics={"name": "tfidf", "dimm": 3})
    with pytest.raises(RecpairError, match="was extended by new items in memory"):
        recpair.evaluate(run.add_items(NEW))
    monkeypatch.setitem(run.config, "semantics", {"name": "openai", "model": "m", "url": "http://x"})
    with pytest.raises(RecpairError, match="encoded by 'openai', which opens files or calls a server"):
        run.add_items(NEW)
    bare = recpair.fit(CONFIG | {"semantics": None, "model": "ease", "output": str(tmp_path / "run")}, data=world[0])
    with pytest.raises(RecpairError, match="the run has no item table"):
        bare.add_items(NEW)


def test_without_semantics_all_columns_of_text_are_encoded(world, tmp_path, caplog):
    events, items = world
    config = CONFIG | {"semantics": None, "model": "ease", "output": str(tmp_path / "run")}
    run = recpair.fit(config, data=events, items=items)
    with caplog.at_level(logging.INFO, "recpair"):
        run.add_items(NEW)
    assert "the run has no section semantics; the texts are all columns of text, encoded by tfidf" in caplog.messages
    assert any(
        "from texts (tfidf: {title}. {genres}), 4 categories (genres), numbers (price): mean" in m
        for m in caplog.messages
    )
    numbers = items.select("item_id", "price")
    only = recpair.fit(config | {"output": str(tmp_path / "other")}, data=events, items=numbers)
    assert only.add_items(NEW.select("item_id", "price")).added.source == "numbers (price)"


def test_cold_items_need_an_item_table(world, tmp_path):
    with pytest.raises(RecpairError, match="new items are ranked by their content, and the data has no item table"):
        recpair.fit({"split": "cold_items", "model": "ease", "tracking": None, "output": str(tmp_path)}, data=world[0])


def test_a_blend_of_runs_with_cold_items_is_refused(run_of, world, tmp_path):
    config = CONFIG | {"split": "cold_items", "evaluate": {"monitor": "ndcg@10"}}
    runs = [
        recpair.fit(config | {"model": name, "output": str(tmp_path / name)}, data=world[0], items=world[1])
        for name in ("ease", "item_knn")
    ]
    with pytest.raises(RecpairError, match=r"is evaluated on cold items, which blends do not support"):
        recpair.blend(runs, tmp_path / "blend")


def test_attributes_are_learnt_from_known_items_only():
    known = pl.DataFrame({"item_id": [1, 2, 3], "category": ["a", "a", "b"], "year": ["10", "20", None]})
    found = Attributes.of(known)
    assert (found.categories, found.numbers, found.mean.tolist(), found.sd.tolist()) == (("a",), ("year",), [15], [5])
    new = pl.DataFrame({"item_id": [7, 8], "category": ["c", "a"], "year": ["30", ""]})
    assert found.category_rows(new).toarray().tolist() == [[0], [1]]
    assert found.number_rows(new).tolist() == [[3], [0]]
    rows = aligned(known, Ids("item", pl.Series([3, 9, 1])))
    assert rows.rows() == [(3, "b", None), (9, None, None), (1, "a", "10")]


@pytest.mark.parametrize("name", ["ials", "sasrec"])
def test_an_extended_model_keeps_its_kind_of_scorer(name, run_of):
    more = run_of(name).add_items(NEW)
    scorer = more.model.score(more.model.batch_of(torch.tensor([0]), Histories((more.recommender.train,))))
    assert isinstance(scorer, Vectors)
    assert len(scorer.items) == SIZE + 3
    assert name in MODELS

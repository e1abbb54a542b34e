"""The two-tower model: its towers against naive loops, item dropout, and new items in a run."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
import torch

import recpair
from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, RunError
from recpair.models.two_tower import TwoTower
from recpair.seeds import isolated
from recpair.semantics.encoders import normalised
from recpair.semantics.encoders.tfidf import Tfidf
from recpair.testing.models import checkerboard

TEXTS = normalised(np.random.default_rng(0).normal(size=(10, 4)))
CATEGORIES = sp.csr_matrix(np.random.default_rng(1).integers(0, 2, size=(10, 3)).astype(np.float32))
EVENTS = Interactions.from_indices(np.zeros(8, int), np.arange(8), np.arange(8), vocabulary=Vocabulary.range(1, 10))
HISTORY = torch.tensor([[-1, 2, 8, 5], [-1, -1, -1, -1], [3, 3, 0, 7]])


def made(**options):
    with isolated(0):
        model = TwoTower(EVENTS, TEXTS, CATEGORIES, embedding_dim=6, init_std=0.5, **options)
        model.empty.data.normal_(generator=torch.Generator().manual_seed(0))
    return model.eval()


def item_vector(model, item):
    tower = model.tower
    groups = CATEGORIES[item].toarray()[0]
    x = torch.tensor(np.concatenate([TEXTS[item], groups / max(np.sqrt(groups.sum()), 1)]), dtype=torch.float32)
    placed = tower.first @ x
    if tower.second is not None:
        placed = tower.second @ torch.nn.functional.gelu(placed + tower.bias)
    return placed + (tower.ids.weight[item] if item < 8 else 0)  # items 8 and 9 have no training event


@pytest.mark.parametrize("options", [{}, {"decay": 0.5}, {"hidden_dim": 5}])
def test_towers_are_those_of_a_naive_loop(options):
    model = made(**options)
    items = torch.stack([item_vector(model, i) for i in range(10)])
    torch.testing.assert_close(model.item_vectors(), items)
    queries = []
    for row in HISTORY.tolist():
        total, weight = model.empty, 1.0
        for distance, item in enumerate(reversed([i for i in row if i >= 0])):
            share = options.get("decay", 1.0) ** distance
            total, weight = total + share * items[item], weight + share
        queries.append(model.user(total / weight) + total / weight)
    scorer = model.score(Batch.of_users(torch.arange(3), HISTORY))
    torch.testing.assert_close(scorer.queries, torch.stack(queries))
    torch.testing.assert_close(scorer.catalogue(), torch.stack(queries) @ items.T)
    fresh = model.score(Batch.of_users(torch.arange(3), HISTORY))
    few = torch.tensor([[1, 9], [0, 0], [8, 3]])
    torch.testing.assert_close(fresh.of(few), scorer.catalogue().gather(1, few))
    torch.testing.assert_close(fresh.of(few[:1]), scorer.catalogue()[:, few[0]])


def test_items_without_training_events_are_not_negatives_of_the_catalogue():
    scorer = made().score(Batch.of_users(torch.arange(3), HISTORY))
    expected = scorer.catalogue()[:, :8].logsumexp(1, keepdim=True)
    torch.testing.assert_close(scorer.log_partition(), expected)


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.9])
def test_item_dropout_leaves_the_content(rate):
    model = made(id_dropout=rate).train()
    content = torch.stack([item_vector(model, i) for i in range(8)]) - model.tower.ids.weight[:8]
    with isolated(1):
        drawn = torch.stack([model.tower.rows(torch.arange(8)) for _ in range(400)])
    alone = (drawn - content).abs().amax(2) < 1e-6
    assert alone.float().mean().item() == pytest.approx(rate, abs=0.03)
    whole = drawn[~alone] - (content + model.tower.ids.weight[:8]).expand(400, -1, -1)[~alone]
    assert whole.abs().max() < 1e-6


def test_gradients_reach_content_and_embeddings_through_a_few_rows():
    """The same gradients as with the table of all items."""
    model, few = made(hidden_dim=4, dropout=0.0, id_dropout=0.0).train(), torch.tensor([[1, 9], [0, 0], [8, 3]])
    gradients = []
    for of_all in (False, True):
        model.zero_grad()
        scorer = model.score(Batch.of_users(torch.arange(3), HISTORY))
        scores = scorer.catalogue().gather(1, few) if of_all else scorer.of(few)
        scores.sin().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)
    assert all(g.abs().sum() > 0 for g in gradients[0])


def test_new_items_have_the_vectors_of_their_content():
    model = made()
    more = model.with_items(12, np.array([9, 10, 11]), TEXTS[:3], CATEGORIES[:3])
    assert more.item_vectors().shape == (12, 6)
    torch.testing.assert_close(more.item_vectors()[:9], model.item_vectors()[:9])
    expected = torch.stack([item_vector(model, i) - model.tower.ids.weight[i] for i in range(3)])
    torch.testing.assert_close(more.item_vectors()[9:], expected)
    torch.testing.assert_close(torch.from_numpy(model.content_vectors(np.arange(3))), expected)
    assert model.item_vectors().shape == (10, 6)
    assert not torch.equal(model.item_vectors()[9], expected[0])


WORDS = ["green leaf cup", "engine wheel road", "wave salt ship"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A run on users of one kind of items each, and rows of new items of each kind."""
    generator = np.random.default_rng(0)
    rows = [
        (u, i, t)
        for u in range(45)
        for t, i in enumerate(generator.permutation(60))
        if i % 3 == u % 3 and generator.random() < 0.5
    ]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    table = [{"item_id": i, "title": f"{WORDS[i % 3]} no{i % 7}", "genres": [f"g{i % 3}", "all"]} for i in range(60)]
    new = [{"item_id": 100 + i, "title": f"{WORDS[i]} no9", "genres": [f"g{i}"]} for i in range(3)]
    config = {
        "split": "leave_last",
        "semantics": {"name": "tfidf", "dim": 8, "template": "{title}"},
        "sampler": {"negatives": "all", "batch_size": 16},
        "loss": "softmax",
        "model": {"name": "two_tower", "embedding_dim": 8},
        "train": {"epochs": 20, "learning_rate": 0.03, "patience": None},
        "tracking": None,
        "output": str(tmp_path_factory.mktemp("runs") / "run"),
    }
    return recpair.fit(config, data=events, items=pl.DataFrame(table)), pl.DataFrame(new), events


def test_a_run_adds_items_by_its_tower(shop):
    run, new, events = shop
    more = recpair.load(run.folder).add_items(new)
    assert more.added.quality is None
    best = more.recommend(items=[100, 101, 102], k=1, exclude_seen=False)
    assert (best["item_id"] - 100 == best["user_id"] % 3).mean() > 0.95
    assert (more.recommend(histories=[[100], [101]], k=8)["item_id"] % 3).to_list()[:3] == [0, 0, 0]
    similar = more.similar_items([102], k=5)["similar_item_id"]
    assert (similar.filter(similar < 100) % 3 == 2).all()
    users, items = events["user_id"].unique().to_list(), list(range(60))
    pairs = [[u for u in users for _ in items], items * len(users)]
    np.testing.assert_allclose(run.score(*pairs)["score"], more.score(*pairs)["score"], rtol=1e-5, atol=1e-5)


def test_new_items_are_as_frequent_as_asked_for(shop):
    """Known items by their content alone, spread by the factor, have their share of the lists; None leaves the vectors."""
    run, new, _ = shop
    plain, once, often = (run.add_items(new, exposure=exposure) for exposure in (None, 1.0, 3.0))
    pair = [[0, 1, 2], [100, 101, 102]]
    known = run.model.item_vectors().detach().numpy()
    queries = plain.model.score(plain.model.batch_of(torch.tensor([0]), Histories((plain.recommender.train,)))).queries
    mean = float(queries[0].detach().numpy() @ known.mean(0))
    scores = [each.score([0], [100])["score"].item() for each in (plain, once, often)]
    assert (scores[2] - mean) / (scores[0] - mean) > (scores[1] - mean) / (scores[0] - mean) > 0
    places = [each.recommend(k=10)["item_id"].is_in(pair[1]).sum() for each in (once, often)]
    assert places[1] >= places[0]


def test_a_rotation_of_the_text_vectors_does_not_matter(shop, monkeypatch):
    """Another version of a linear algebra library may return other singular vectors of the same texts."""
    run, new, _ = shop
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0].astype(np.float32)
    before = run.add_items(new).score([0, 1, 2], [100, 101, 102])["score"]
    encode = Tfidf.encode
    monkeypatch.setattr(Tfidf, "encode", lambda self, texts: encode(self, texts) @ turn)
    np.testing.assert_allclose(run.add_items(new).score([0, 1, 2], [100, 101, 102])["score"], before, rtol=1e-3)


def test_other_texts_than_those_of_the_training_are_refused(shop):
    run, new, _ = shop
    with pytest.raises(RunError, match="encoded differently from those that its model was trained with"):
        run.add_items(new, semantics={"name": "tfidf", "dim": 2, "template": "{genres}"})


def test_cold_items_are_ranked_by_the_tower(shop, tmp_path):
    run, _, events = shop
    config = {section: value for section, value in run.config.items() if section != "evaluate"}
    config |= {
        "split": {"name": "cold_items", "fractions": [0.6, 0.2, 0.2]},
        "evaluate": {"candidates": "cold", "cutoffs": [3], "monitor": "recall@3"},
    }
    cold = recpair.fit(config | {"output": str(tmp_path / "run")}, data=events, items=run.items)
    assert cold.metrics["test"]["recall@3"] > 1.7 * cold.metrics["popularity"]["recall@3"]


def test_the_checkerboard_is_learnt(quick):
    events = checkerboard()
    quick |= {"model": {"name": "two_tower", "embedding_dim": 8, "text": "none", "id_dropout": 0.0}}
    quick |= {"loss": "softmax", "sampler": {"negatives": "all", "batch_size": 8}}
    quick["train"] |= {"epochs": 30, "learning_rate": 0.02}
    assert recpair.fit(quick, data=events).metrics["test"]["hit@1"] >= 0.9


def test_texts_need_the_section_semantics(quick):
    with pytest.raises(ConfigError, match=r"model\.text is add, which needs vectors of item texts"):
        recpair.fit(quick | {"model": "two_tower"}, data=checkerboard())

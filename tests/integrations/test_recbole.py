"""RecBole's models inside recpair: named, trained, scored, saved, and asked for strangers."""

import importlib.util

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError, RunError, TrainingError
from recpair.experiment.loading import load_config
from recpair.integrations.all_models import ALL_MODELS
from recpair.integrations.recbole import properties
from recpair.integrations.recbole.dataset import ITEM, LABEL, NEGATIVE, USER, TrainingSet
from recpair.models import Scorer
from recpair.models.ease import EASE
from recpair.registry import options
from recpair.seeds import isolated

pytestmark = pytest.mark.skipif(importlib.util.find_spec("recbole") is None, reason="recbole needs Python 3.11")
SMALL = {"MultiVAE": {"mlp_hidden_size": [16], "latent_dimension": 16}}


@pytest.fixture
def train(checkerboard):
    return Interactions.from_polars(checkerboard.filter(checkerboard["split"] == "train"))


def made(name, train, **given):
    with isolated(0):
        model = ALL_MODELS[f"recbole/{name}"](train, **(SMALL.get(name, {}) | given))
        if not hasattr(model, "own_loss"):
            model.fit(train)
    return model.eval()


def batch(n_negatives=2):
    negatives = torch.tensor([[1, 3, 5], [0, 2, 4]])[:, :n_negatives]
    return Batch(torch.tensor([0, 1]), torch.tensor([[2], [3]]), negatives, torch.zeros(2, 1).long())


def test_the_signature_is_the_property_file():
    assert list(options(ALL_MODELS["recbole/LightGCN"])) == ["embedding_size", "n_layers", "reg_weight"]
    assert options(ALL_MODELS["recbole/NGCF"])["reg_weight"] == (float, 1e-5)  # YAML 1.1 reads 1e-5 as text
    assert not [name for name in options(ALL_MODELS["recbole/NeuMF"]) if "pretrain" in name]  # pickles


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"name": "recbole/LightGCN", "embeding_size": 8},
            "model.embeding_size is unknown; did you mean embedding_size?",
        ),
        ({"name": "recbole/LightGCN", "n_layers": "two"}, "model.n_layers: input should be a valid integer"),
        ({"name": "recbole/SGL", "type": "EE"}, "model.type: input should be 'ED', 'ND' or 'RW'"),
        ({"name": "recbole/LigthGCN"}, "unknown name 'recbole/LigthGCN'; did you mean recbole/LightGCN?"),
        ({"name": "recbole/DeepFM"}, "is not a general or sequential model"),
        ({"name": "recbole/RecVAE"}, "not supported: it alternates two optimisers"),
    ],
)
def test_mistakes_are_named(model, message):
    with pytest.raises(ConfigError) as caught:
        load_config({"model": model})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_recbole_the_error_says_so(monkeypatch):
    monkeypatch.setattr(properties.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="RecBole is not installed; pip install"):
        properties.kind("LightGCN")


def test_a_constructor_that_refuses_is_a_config_error(train):
    with pytest.raises(ConfigError, match="recbole/DMF refuses its options"):
        made("DMF", train, user_hidden_size_list=[8], item_hidden_size_list=[4])


def test_the_own_loss_is_the_default_and_needs_a_model_that_has_one():
    assert load_config({"model": "recbole/SGL"})["loss"] == {"name": "own"}
    assert load_config({"model": "recbole/SGL"}, ["loss=bce"])["loss"] == {"name": "bce"}
    assert load_config({"model": "recbole/EASE"})["loss"] == {"name": "bpr"}  # fitted: nothing reads it
    with pytest.raises(ConfigError, match="model mf does not define a loss"):
        load_config({"loss": "own"})
    with pytest.raises(ConfigError, match=r"denoise.name is pld, which needs losses of pairs"):
        load_config({"model": "recbole/SGL", "denoise": "pld"})


@pytest.mark.parametrize("name", ["BPR", "SGL", "ItemKNN"])
def test_the_checkerboard_is_solved_and_loads_again(name, checkerboard, quick):
    quick["train"]["epochs"] = 15
    run = recpair.fit(quick, [f"model=recbole/{name}"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] >= 0.95
    again = recpair.load(run.folder)
    assert again.recommend(k=5).equals(run.recommend(k=5))
    strangers = again.recommend(histories=[[0, 4, 6, 8, 10, 12]], k=10)
    assert (strangers["item_id"] % 2 == 0).sum() >= 9
    if name != "ItemKNN":
        assert set(run.history["metric"]) >= {"train/recommendation", "valid/ndcg@5"}
        assert not (run.folder / "audit.parquet").exists()  # no losses of pairs were seen


def test_a_loss_of_recpair_and_a_denoiser_train_a_recbole_model(checkerboard, quick):
    quick |= {"model": {"name": "recbole/BPR"}, "loss": "bce", "denoise": {"name": "pld", "start_epoch": 1}}
    run = recpair.fit(quick, ["train.epochs=10"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] >= 0.95
    assert len(run.audit()) == len(run.recommender.train)


@pytest.mark.parametrize("name", ["SGL", "MultiVAE"])
def test_a_resumed_run_ends_with_the_same_weights(name, checkerboard, quick, resumes_exactly):
    """SGL draws graphs for each epoch; MultiVAE counts its steps."""
    quick |= {"model": {"name": f"recbole/{name}"} | SMALL.get(name, {})}
    quick["train"] |= {"checkpoint_every": 1, "patience": None}
    resumes_exactly(quick, checkerboard)


@pytest.mark.parametrize("name", ["LightGCN", "NeuMF", "DMF", "SimpleX", "MultiVAE", "EASE", "NCEPLRec"])
def test_a_scorer_says_the_same_of_some_items_and_of_all(name, train):
    scorer = made(name, train).score(Batch.of_users(torch.tensor([3, 0, 39])))
    items = torch.tensor([[1, 5], [0, 0], [39, 2]])
    assert isinstance(scorer, Scorer)
    assert scorer.catalogue().shape == (3, 40)
    torch.testing.assert_close(scorer.of(items), scorer.catalogue().gather(1, items), atol=1e-5, rtol=1e-4)


def test_vectors_score_as_recbole_predicts(train):
    model = made("LightGCN", train)
    users, items = torch.tensor([0, 7, 39]), torch.tensor([3, 0, 39])
    ours = model.score(Batch.of_users(users)).of(items.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(ours, model.inner.predict({USER: users + 1, ITEM: items + 1}))


def test_ease_is_recpairs_own(train):
    """Two implementations of one closed form."""
    own = EASE(train)
    own.fit(train)
    everybody = Batch.of_users(torch.arange(40))
    ours, theirs = (model.score(everybody).catalogue() for model in (own, made("EASE", train)))
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)


def test_bprs_own_loss_by_hand(train):
    """RecBole: −log(1e-10 + σ(s⁺ − s⁻)), the mean over all pairs."""
    model, queries = made("BPR", train).train(), batch()
    users, items = model.inner.user_embedding.weight[1:], model.inner.item_embedding.weight[1:]
    pairs = [(0, 2, 1), (0, 2, 3), (1, 3, 0), (1, 3, 2)]
    gaps = torch.stack([users[u] @ (items[p] - items[n]) for u, p, n in pairs])
    torch.testing.assert_close(model.own_loss(queries, 1), -torch.log(1e-10 + gaps.sigmoid()).mean())


@pytest.mark.parametrize("name", ["NCL", "SGL", "DMF", "SimpleX", "MultiVAE", "LINE"])
def test_an_own_loss_is_a_scalar_with_a_gradient(name, train):
    """Losses in parts (NCL), of graphs drawn for the epoch (SGL), of points, of folded negatives, of users."""
    model = made(name, train, **({"num_clusters": 4} if name == "NCL" else {})).train()
    loss = model.own_loss(batch(), 1)
    loss.backward()
    assert loss.shape == ()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_examples_are_laid_out_as_recbole_lays_them_out(train):
    """All queries with their first negative, then with their second; points: positives, then negatives."""
    pairs = made("BPR", train)._examples(batch())
    assert {key: value.tolist() for key, value in pairs.items()} == {
        USER: [1, 2, 1, 2],
        ITEM: [3, 4, 3, 4],
        NEGATIVE: [2, 1, 4, 3],
    }
    points = made("NeuMF", train)._examples(batch())
    assert points[ITEM].tolist() == [3, 4, 2, 1, 4, 3]
    assert points[LABEL].tolist() == [1, 1, 0, 0, 0, 0]
    assert made("MultiVAE", train)._examples(batch()) == {USER: pytest.approx(torch.tensor([1, 2]))}


def test_strangers_with_a_users_history_are_scored_as_the_user(train):
    histories = [train.items_of(user) for user in (4, 17)]
    users = Batch.of_users(torch.tensor([4, 17]))
    for name in ("MultiVAE", "EASE", "ItemKNN", "ADMMSLIM"):
        model = made(name, train)
        ours, theirs = model.fold_in(histories).catalogue(), model.score(users).catalogue()
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-3)
    for name in ("NeuMF", "NCEPLRec"):
        with pytest.raises(RunError, match=f"recbole/{name} cannot score unknown users"):
            made(name, train).fold_in(histories)


def test_the_penalty_needs_embeddings(train):
    shapes = [tuple(rows.shape) for _, rows in made("NeuMF", train).regularised(batch())]
    assert shapes == [(2,), (2,), (2, 1), (2, 1), (2, 2), (2, 2)]
    with pytest.raises(TrainingError, match=r"recbole/DMF has no embeddings .* set train.l2=0"):
        made("DMF", train).regularised(batch())


def test_tensors_outside_the_state_dict_move_with_the_model(train):
    model = made("LightGCN", train).double()
    assert model.inner.norm_adj_matrix.dtype == torch.float64
    assert model.score(Batch.of_users(torch.tensor([0]))).catalogue().dtype == torch.float64


def test_a_cut_history_keeps_the_last_events():
    events = Interactions.from_scipy(np.array([[0, 1, 1, 1], [1, 0, 0, 0]]))
    items, values, lengths = TrainingSet(events).history_item_matrix(max_history_len=2)
    assert items.tolist() == [[0, 0], [3, 4], [1, 0]]
    assert values.tolist() == [[0, 0], [1, 1], [1, 0]]
    assert lengths.tolist() == [0, 2, 1]


def test_ratings_are_asked_for_only_where_there_are_some(train):
    with pytest.raises(ConfigError, match="the data has no ratings"):
        made("DMF", train, inter_matrix_type="rating")


def test_a_rating_matrix_needs_a_rating_for_every_event():
    gaps = Interactions.from_polars(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": [4.0, None]}))
    with pytest.raises(ConfigError, match="1 events have no rating"):
        TrainingSet(gaps).inter_matrix(value_field="rating")

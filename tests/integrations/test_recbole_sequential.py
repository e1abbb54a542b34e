"""RecBole's sequential models inside recpair: the same scores, trained on prefixes, saved, and asked for strangers."""

import importlib.util
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError
from recpair.experiment.loading import load_config
from recpair.integrations.all_models import ALL_MODELS
from recpair.integrations.recbole.borrowed import borrowed
from recpair.integrations.recbole.dataset import HISTORY, ITEM, LENGTH, NEGATIVE
from recpair.integrations.recbole.properties import models
from recpair.integrations.recbole.sequence_traits import SEQUENCE_TRAITS
from recpair.models import OwnLossModel, SequenceModel
from recpair.registry import options
from recpair.seeds import isolated

pytestmark = pytest.mark.skipif(importlib.util.find_spec("recbole") is None, reason="recbole needs Python 3.11")
CARRIED = [
    *("BERT4Rec", "CORE", "GCSAN", "GRU4Rec", "LightSANs", "NARM", "NextItNet", "SASRec", "SINE", "SRGNN", "STAMP"),
]
CYCLE = 30  # items; n + 1 follows n
HISTORIES = torch.tensor([[-1, -1, 4, 2, 4, 7], [0, 1, 2, 3, 4, 5], [-1, -1, -1, -1, -1, 11]])
PREFIXES = {"name": "sequences", "examples": "prefixes"}


def made(name, **given):
    catalogue = Interactions.from_indices(np.zeros(1, int), np.zeros(1, int), vocabulary=Vocabulary.range(1, 12))
    with isolated(0):
        model = ALL_MODELS[f"recbole/{name}"](catalogue, history_length=6, **given)
        for parameter in model.parameters():  # as after training: nothing is 0 or 1
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def batch():
    negatives = torch.tensor([[1, 3], [0, 2], [5, 6]])
    return Batch(torch.arange(3), torch.tensor([[8], [9], [10]]), negatives, torch.zeros(3, 1).long(), HISTORIES)


@pytest.fixture
def next_item(quick):
    """A config that learns a succession in seconds."""
    quick |= {"split": "leave_last", "sampler": PREFIXES | {"negatives": "all", "batch_size": 64}, "loss": "softmax"}
    quick["train"] |= {"epochs": 30, "learning_rate": 0.01, "audit_from": 1}
    quick["evaluate"]["mask_seen"] = False
    return quick


@pytest.fixture
def succession():
    """Item n + 1 (mod 30) follows item n: 60 users with walks of 4 to 9 steps, from everywhere."""
    walks = [[(7 * user + step) % CYCLE for step in range(4 + user % 6)] for user in range(60)]
    rows = [(user, item, step) for user, walk in enumerate(walks) for step, item in enumerate(walk)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def test_every_sequential_model_is_carried_or_refused_with_a_reason():
    refused = {name for name, traits in SEQUENCE_TRAITS.items() if traits.refused}
    assert refused | set(CARRIED) == set(models("sequential"))
    assert refused & set(CARRIED) == set()
    for name in refused:
        with pytest.raises(ConfigError, match=f"recbole/{name} is not supported: {SEQUENCE_TRAITS[name].refused[:20]}"):
            ALL_MODELS[f"recbole/{name}"]


@pytest.mark.parametrize("name", CARRIED)
def test_scores_are_those_of_recbole(name):
    """Its ``full_sort_predict`` on histories as it lays them out: item 0 is padding, which is on the right."""
    model = made(name)
    theirs = {
        HISTORY: torch.tensor([[5, 3, 5, 8, 0, 0], [1, 2, 3, 4, 5, 6], [12, 0, 0, 0, 0, 0]]),
        LENGTH: torch.tensor([4, 6, 1]),
    }
    with torch.no_grad(), borrowed():
        expected = model.inner.full_sort_predict(theirs)[:, 1:]
    scorer = model.score(Batch.of_users(torch.arange(3), HISTORIES))
    torch.testing.assert_close(scorer.catalogue(), expected)
    items = torch.tensor([[1, 5], [0, 0], [11, 2]])
    torch.testing.assert_close(scorer.of(items), expected.gather(1, items))


@pytest.mark.parametrize("name", CARRIED)
def test_strangers_and_long_and_empty_histories(name):
    model = made(name)
    given = [np.array([4, 2, 4, 7]), np.array([9, 9, 0, 1, 2, 3, 4, 5]), np.empty(0, dtype=np.int64)]
    scores = model.fold_in(given).catalogue()
    torch.testing.assert_close(scores[:2], model.score(Batch.of_users(torch.arange(3), HISTORIES)).catalogue()[:2])
    assert (scores[2] == 0).all()


@pytest.mark.parametrize("loss_type", ["CE", "BPR"])
@pytest.mark.parametrize("name", CARRIED)
def test_an_own_loss_is_a_scalar_with_a_gradient(name, loss_type):
    if (name, loss_type) == ("CORE", "BPR"):
        with pytest.raises(ConfigError, match=r"recbole/CORE refuses its options: Make sure 'loss_type' in \['CE'\]!"):
            made(name, loss_type=loss_type)
        return
    always = {"ft_ratio": 1.0} if name == "BERT4Rec" else {}  # masks the last item of each
    model = made(name, loss_type=loss_type, **always).train()
    loss = model.own_loss(batch(), 1)
    loss.backward()
    assert loss.shape == ()
    assert torch.isfinite(loss)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.inner.item_embedding.weight.grad.abs().sum() > 0


def test_bert4rec_learns_nothing_where_nothing_can_be_masked():
    """RecBole does not count a mask in the first place, and its mean over no mask is 0/0."""
    model = made("BERT4Rec", ft_ratio=0.0).train()
    loss = model.own_loss(replace(batch(), history=HISTORIES[[2, 2, 2]]), 1)
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())


def test_examples_are_laid_out_as_recbole_lays_them_out():
    """Softmax: the queries; BPR: all of them with their first negative, then with their second."""
    assert set(made("SASRec")._examples(batch())) == {HISTORY, LENGTH, ITEM}
    pairs = made("SASRec", loss_type="BPR")._examples(batch())
    assert pairs[HISTORY][[0, 3]].tolist() == [[5, 3, 5, 8, 0, 0]] * 2
    assert pairs[LENGTH].tolist() == [4, 6, 1, 4, 6, 1]
    assert pairs[ITEM].tolist() == [9, 10, 11, 9, 10, 11]
    assert pairs[NEGATIVE].tolist() == [2, 1, 6, 4, 3, 7]


def test_sasrecs_own_loss_by_hand():
    """RecBole's softmax: over all items and the padding."""
    model = made("SASRec")
    queries = model.encode(HISTORIES)[:, 0]
    expected = torch.nn.functional.cross_entropy(
        queries @ model.inner.item_embedding.weight.T, batch().positives[:, 0] + 1
    )
    torch.testing.assert_close(model.own_loss(batch(), 1), expected)


def test_the_penalty_is_of_raw_embeddings():
    model = made("CORE")  # whose item vectors are normalised
    touched = model.regularised(batch())
    assert all(table is model.inner.item_embedding.weight for table, _ in touched)
    assert [tuple(rows.shape) for _, rows in touched] == [(3, 1), (3, 1), (3, 2)]
    assert touched[0][1].flatten().tolist() == [8, 6, 12]


@pytest.mark.parametrize("loss", ["own", "softmax"])
@pytest.mark.parametrize("name", ["GRU4Rec", "NARM", "SASRec"])
def test_a_succession_is_learnt_and_loads_again(name, loss, succession, next_item):
    """The next item stands first for nearly everybody, for strangers, too, with masking off."""
    next_item |= {"model": {"name": f"recbole/{name}", "history_length": 5}, "loss": loss}
    if loss == "own":
        next_item["sampler"] = PREFIXES | {"batch_size": 64}
    run = recpair.fit(next_item, data=succession)
    assert run.metrics["test"]["hit@1"] >= 0.8
    again = recpair.load(run.folder)
    assert again.recommend(k=5).equals(run.recommend(k=5))
    assert again.recommend(histories=[[3, 4, 5], [29]], k=1)["item_id"].to_list() == [6, 0]
    if loss == "softmax":
        audited = run.audit()
        assert len(audited) == len(run.recommender.train) - 60


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        ("sampled_softmax", {}),
        ("bpr", {"denoise": {"name": "pld", "candidates": 2, "start_epoch": 1}}),
        ("bce", {"contrast": [{"name": "cl4srec"}, {"name": "duorec"}]}),
    ],
)
def test_losses_denoisers_and_terms_of_recpair(loss, more, succession, next_item):
    next_item |= {"model": {"name": "recbole/GRU4Rec", "history_length": 5}, "loss": loss} | more
    next_item["sampler"] = PREFIXES | {"negatives": "uniform", "n_negatives": 8, "batch_size": 64}
    run = recpair.fit(next_item, ["train.l2=1e-6", "train.epochs=15"], data=succession)
    assert run.metrics["test"]["hit@1"] >= 0.7


def test_a_resumed_run_ends_with_the_same_weights(succession, next_item, resumes_exactly):
    """BERT4Rec draws masks by Python's generator and dropout by torch's."""
    next_item |= {"model": {"name": "recbole/BERT4Rec", "history_length": 6}, "loss": "own"}
    next_item["sampler"] = PREFIXES | {"batch_size": 64}
    next_item["train"] |= {"checkpoint_every": 1, "patience": None}
    # Numba's first kernel may change the number of torch's threads, and with it the order of sums: not between the runs.
    recpair.fit(next_item, ["train.epochs=1"], data=succession)
    resumes_exactly(next_item, succession)


def test_positions_are_refused_with_the_way_out():
    config = {"model": "recbole/SASRec", "sampler": {"name": "sequences", "examples": "positions"}}
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert str(caught.value).endswith("has one vector for a whole history; set sampler.examples=prefixes")
    assert "\n" not in str(caught.value)
    checked = load_config(config, ["sampler.examples=prefixes"])
    assert checked["loss"] == {"name": "own"}
    assert load_config({"model": "recbole/SASRec"})["sampler"]["examples"] == "prefixes"
    with pytest.raises(ConfigError, match=r"sampler\.name is pairs, but model recbole/SASRec needs sequences"):
        load_config({"model": "recbole/SASRec", "sampler": "pairs"})


def test_the_signature_is_the_property_file_and_a_length():
    kind = ALL_MODELS["recbole/BERT4Rec"]
    assert issubclass(kind, SequenceModel)
    assert issubclass(kind, OwnLossModel)
    assert next(iter(options(kind))) == "history_length"
    assert options(kind)["ft_ratio"] == (float, 0.5)
    assert "transform" not in options(kind)
    config = load_config({"model": {"name": "recbole/SASRec", "MAX_ITEM_LIST_LENGTH": 20}, "sampler": PREFIXES})
    assert config["model"]["history_length"] == 20


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("SASRec", {"hidden_act": "gleu"}, "recbole/SASRec refuses its options: 'gleu'"),
        ("SASRec", {"hidden_size": 10, "n_heads": 3}, "refuses its options: The hidden size"),
        ("GCSAN", {"weight": 2.0}, "refuses its options: an assertion about them fails"),  # in its forward pass
        ("NARM", {"dropout_probs": []}, "refuses its options: list index out of range"),
        ("BERT4Rec", {"mask_ratio": 0.1}, "model.mask_ratio · model.history_length is below 1"),
    ],
)
def test_options_that_do_not_fit_are_named(name, given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        made(name, **given)
    assert "\n" not in str(caught.value)

"""What every sequence model owes, the authors' numbers for SASRec, and a data set of plain succession."""

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError
from recpair.models import MODELS, SequenceModel
from recpair.models.sasrec import SASRec
from recpair.seeds import isolated
from recpair.semantics.encoders import normalised

KINDS = sorted(name for name, kind in MODELS.items() if issubclass(kind, SequenceModel))
CYCLE = 30  # items of the succession


def catalogue(n_items) -> Interactions:
    events = np.arange(n_items)
    return Interactions.from_indices(np.zeros(n_items, int), events, events, vocabulary=Vocabulary.range(1, n_items))


VECTORS = normalised(np.random.default_rng(0).normal(size=(12, 5)))
VARIANTS = {
    "sasrec-post": {"norm": "post"},
    "sasrec-ligr": {"block": "ligr"},
    "sasrec-text": {"text": "add", "semantic_vectors": VECTORS},
    "two_tower-text": {"semantic_vectors": VECTORS, "hidden_dim": 4},
    "sasrec-ligr-text": {"block": "ligr", "text": "add", "semantic_vectors": VECTORS, "text_dim": 3},
}


@pytest.fixture(params=[*KINDS, *VARIANTS])
def model(request):
    name = request.param.partition("-")[0]
    options = {"history_length": 6, "embedding_dim": 8} | VARIANTS.get(request.param, {})
    with isolated(0):
        made = MODELS[name](catalogue(12), **options)
        for parameter in made.parameters():  # as after training: nothing is 0 or 1
            parameter.data += 0.3 * torch.randn_like(parameter)
    return made.eval()


HISTORY = torch.tensor([[-1, -1, 4, 2, 4, 7], [0, 1, 2, 3, 4, 5], [-1, -1, -1, -1, -1, 11]])


def test_a_place_sees_nothing_after_it(model):
    whole = model.encode(HISTORY)
    changed = HISTORY.clone()
    changed[:, 4:] = 9
    torch.testing.assert_close(model.encode(changed)[:, :4], whole[:, :4])
    assert not torch.allclose(model.encode(changed)[:, 4:], whole[:, 4:])


def test_a_place_sees_all_that_is_before_it(model):
    changed = HISTORY.clone()
    changed[0, 2] = 9
    difference = (model.encode(changed)[0, 2:] - model.encode(HISTORY)[0, 2:]).abs().amax(1)
    assert (difference > 1e-6).all()


def test_trimming_and_company_change_nothing(model):
    """A history alone and without its padding has the vectors that it has in a batch of longer ones."""
    whole = model.encode(HISTORY)
    torch.testing.assert_close(model.encode(HISTORY[[0], 2:])[0], whole[0, 2:])
    torch.testing.assert_close(model.encode(HISTORY[[2], 5:])[0], whole[2, 5:])


@pytest.mark.parametrize(
    "history", [HISTORY, HISTORY[[1, 1]], torch.tensor([[-1, -1], [-1, 4]]), torch.full((2, 1), -1)]
)
def test_the_last_places_alone_are_those_of_all(model, history):
    """With padding, without any, with an empty history and with nothing but those; and their gradients."""
    gradients = []
    for vectors in (model.encode_last(history), model.encode(history)[:, -1]):
        model.zero_grad()
        vectors.sin().sum().backward()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(model.encode_last(history), model.encode(history)[:, -1])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("options", [{"norm": "pre"}, {"norm": "post"}, {"block": "ligr"}])
def test_sasrec_drops_as_much_of_the_last_places_as_of_all(options):
    """In the mean over many draws, training sees what it sees with every place computed."""
    with isolated(0):
        model = SASRec(catalogue(12), history_length=6, embedding_dim=8, dropout=0.3, init_std=0.5, **options).train()
        many = HISTORY[[0]].repeat(20_000, 1)
        alone, whole = model.encode_last(many), model.encode(many)[:, -1]
    torch.testing.assert_close(alone.mean(0), whole.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(alone.std(0), whole.std(0), atol=0.05, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_scores_by_cosine(name):
    """The products over the lengths of both vectors, for queries of a batch and for strangers."""
    with isolated(0):
        model = MODELS[name](catalogue(12), history_length=6, embedding_dim=8, similarity="cosine").eval()
    batch = Batch.of_users(torch.arange(3), HISTORY)
    queries, items = model.encode(HISTORY)[:, -1], model.item_vectors()
    expected = torch.nn.functional.cosine_similarity(queries.unsqueeze(1), items.unsqueeze(0), dim=2)
    torch.testing.assert_close(model.score(batch).catalogue(), expected)
    strangers = [row[row >= 0].numpy() for row in HISTORY]
    torch.testing.assert_close(model.fold_in(strangers).catalogue(), expected)


def test_gradients_are_finite_with_padding(model):
    model.train().encode(HISTORY)[:, -1].sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(g is not None and torch.isfinite(g.to_dense()).all() for g in gradients)


def test_strangers_are_encoded_as_users_are(model):
    histories = [np.array([4, 2, 4, 7]), np.arange(9), np.empty(0, dtype=np.int64)]
    scores = model.fold_in(histories).catalogue()
    assert torch.isfinite(scores).all()
    last = torch.tensor([[-1, -1, 4, 2, 4, 7], [3, 4, 5, 6, 7, 8]])
    torch.testing.assert_close(scores[:2], model.encode(last)[:, -1] @ model.item_vectors().T)


def test_sasrec_reproduces_the_authors_backbone(golden):
    """Weights in; the last hidden state, all scores and the cross entropy out, to 1e-5."""
    numbers = golden("sra_cl")["backbone"]
    theirs = {name: torch.tensor(values) for name, values in numbers["state_dict"].items()}
    options = {"history_length": 6, "embedding_dim": 8, "n_layers": 2, "n_heads": 2, "inner_dim": 16, "norm": "post"}
    model = SASRec(catalogue(11), **options).eval()
    model.load_state_dict(from_recbole(theirs))
    history, target = torch.tensor(numbers["item_seq"]) - 1, torch.tensor(numbers["target"]) - 1  # theirs count from 1
    hidden = model.encode(history)[:, -1]
    scores = hidden @ model.item_vectors().T
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(hidden, torch.tensor(numbers["hidden"]), **tolerance)
    torch.testing.assert_close(scores, torch.tensor(numbers["scores"]), **tolerance)
    loss = torch.nn.functional.cross_entropy(scores, target)
    assert loss.item() == pytest.approx(numbers["cross_entropy"], abs=1e-5)


def from_recbole(theirs):
    """Their state dict under our names: one matrix for queries, keys and values, and no row for the padding."""
    ours = {
        "item_embedding.weight": theirs["item_embedding.weight"][1:],
        "position_embedding.weight": theirs["position_embedding.weight"],
    }
    names = {
        "attention.out": "multi_head_attention.dense",
        "attention_norm": "multi_head_attention.LayerNorm",
        "inner": "feed_forward.dense_1",
        "outer": "feed_forward.dense_2",
        "feed_forward_norm": "feed_forward.LayerNorm",
    }
    for part in ("weight", "bias"):
        ours[f"norm.{part}"] = theirs[f"LayerNorm.{part}"]
        for layer in range(2):
            source, target = f"trm_encoder.layer.{layer}", f"blocks.{layer}"
            three = [theirs[f"{source}.multi_head_attention.{kind}.{part}"] for kind in ("query", "key", "value")]
            ours[f"{target}.attention.queries_keys_values.{part}"] = torch.cat(three)
            ours |= {f"{target}.{our}.{part}": theirs[f"{source}.{their}.{part}"] for our, their in names.items()}
    return ours


def test_heads_must_divide_the_vector():
    with pytest.raises(ConfigError, match=r"model\.embedding_dim is 10, not divisible by 4 heads"):
        SASRec(catalogue(5), embedding_dim=10, n_heads=4)


@pytest.fixture
def next_item(quick):
    """A config that learns a succession in seconds."""
    options = {"embedding_dim": 16, "dropout": 0.1, "history_length": 5}
    quick |= {"split": "leave_last", "model": {"name": "sasrec"} | options, "loss": "softmax"}
    quick |= {"sampler": {"name": "sequences", "negatives": "all", "batch_size": 32}}
    quick["train"] |= {"epochs": 40, "learning_rate": 0.01, "audit_from": 1, "l2": 1e-6}
    return quick


@pytest.mark.parametrize("examples", ["positions", "prefixes"])
@pytest.mark.parametrize("name", [*KINDS, "sasrec-ligr"])
def test_a_succession_is_learnt(name, examples, succession, next_item):
    """The next item stands first for everybody, with masking off: the popular floor finds next to nothing."""
    next_item["model"] |= {"name": name.partition("-")[0]} | VARIANTS.get(name, {})
    if name == "two_tower":  # a mean knows the latest item if the others count less
        next_item["model"] |= {"text": "none", "decay": 0.3, "id_dropout": 0.0}
    next_item["sampler"] |= {"examples": examples, "batch_size": 16 if examples == "positions" else 64}
    next_item["evaluate"]["mask_seen"] = False
    run = recpair.fit(next_item, data=succession)
    assert run.metrics["test"]["hit@1"] >= 0.9
    assert run.metrics["popularity"]["hit@1"] < 0.3
    strangers = run.recommend(histories=[[(item - 1) % CYCLE, item] for item in range(CYCLE)], k=1)["item_id"]
    assert (strangers.to_numpy() == (np.arange(CYCLE) + 1) % CYCLE).mean() >= 0.9
    last = {user: (7 * user + 1 + user % 6) % CYCLE for user in range(60)}  # two steps before the end
    served = run.recommend(list(range(60)), k=1)
    assert (served["item_id"].to_numpy() == [(last[user] + 1) % CYCLE for user in served["user_id"]]).mean() >= 0.85
    assert len(run.audit()) == len(run.recommender.train) - 60


def test_noise_in_histories_is_denoised_and_found(succession, next_item):
    """PLD over the events of one history, validation without its worst events, and an audit of all that has a loss."""
    next_item |= {"noise": {"ratio": 0.3}, "denoise": {"name": "pld", "candidates": 3, "start_epoch": 10}}
    next_item["evaluate"]["trim"] = 0.1
    run = recpair.fit(next_item, data=succession)
    logged = run.history.filter(pl.col("epoch") == run.metrics["epochs"])
    shares = {name: value for _, name, value in logged.rows() if "noise_share" in name}
    assert shares["train/noise_share_chosen"] < shares["train/noise_share_drawn"]
    assert run.audit_quality().row(0, named=True)["personal_auroc"] > 0.7

"""Gated blocks and item texts of SASRec: by a loop, in whole runs, and for rare items."""

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.functional import layer_norm, linear, log_softmax, silu

import recpair
from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError
from recpair.models.sasrec import SASRec
from recpair.models.text_projection import LazyVectors, principal
from recpair.seeds import isolated
from recpair.semantics.encoders import normalised
from recpair.testing import check_model

EVENTS = Interactions.from_indices(np.zeros(1, int), np.zeros(1, int), vocabulary=Vocabulary.range(1, 12))
VECTORS = normalised(np.random.default_rng(1).normal(size=(12, 6)))
HISTORY = torch.tensor([[-1, -1, 4, 2, 4, 7], [0, 1, 2, 3, 4, 5], [-1, -1, -1, -1, -1, 11]])
NEGATIVES = torch.tensor([[3, 8, 3]])
TITLES = pl.DataFrame({"item_id": range(30), "title": [f"{['red', 'blue'][i % 2]} shoe {i // 3}" for i in range(30)]})
TFIDF = {"name": "tfidf", "template": "{title}"}


def made(vectors=None, **options) -> SASRec:
    with isolated(0):
        model = SASRec(EVENTS, vectors, history_length=6, embedding_dim=8, inner_dim=10, **options)
        for parameter in model.parameters():  # as after training: nothing is 0 or 1
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model.eval()


def with_text(**options) -> SASRec:
    return made(VECTORS, text="add", **options)


def test_gated_blocks_are_those_of_a_loop():
    """One position after the other, one head after the other, in float64."""
    model = made(block="ligr", n_layers=2, n_heads=2).double()
    for row, history in enumerate(HISTORY):
        items = [item for item in history.tolist() if item >= 0]
        positions = model.position_embedding.weight[6 - len(items) :]
        x = [model.item_embedding.weight[item] + positions[place] for place, item in enumerate(items)]
        for block in model.blocks:
            x = gated(block, x)
        expected = torch.stack([normed(model.norm, each) for each in x])
        torch.testing.assert_close(model.encode(HISTORY)[row, -len(items) :], expected)


def normed(norm, x):
    return layer_norm(x, x.shape, norm.weight, norm.bias, norm.eps)


def gated(block, x):
    """The definition: x + σ(G x + g) ⊙ attention(LN(x)), then the same with SwiGLU."""
    three = [block.attention.queries_keys_values(normed(block.attention_norm, each)).split(8) for each in x]
    found = []
    for place, each in enumerate(x):
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            scores = torch.stack([three[place][0][head] @ three[other][1][head] / 2 for other in range(place + 1)])
            weights = torch.exp(scores - scores.logsumexp(0))
            heads.append(sum(weight * three[other][2][head] for other, weight in enumerate(weights)))
        each = each + torch.sigmoid(block.attention_gate(each)) * block.attention.out(torch.cat(heads))
        inner = linear(normed(block.feed_forward_norm, each), block.inner.weight, block.inner.bias)
        fed = block.outer(silu(inner[:10]) * inner[10:])
        found.append(each + torch.sigmoid(block.feed_forward_gate(each)) * fed)
    return found


def test_closed_gates_pass_the_input_on():
    """With gates of 0, the query is the normalised last embedding."""
    model = made(block="ligr")
    for block in model.blocks:
        for gate in (block.attention_gate, block.feed_forward_gate):
            torch.nn.init.constant_(gate.bias, -1e4)
    last = model.item_embedding.weight[HISTORY[:, -1]] + model.position_embedding.weight[-1]
    torch.testing.assert_close(model.encode_last(HISTORY), model.norm(last))


def test_the_gradient_of_gated_blocks_is_that_of_finite_differences():
    """Along one direction of all parameters, in float64."""
    model = made(block="ligr", n_layers=1).double()
    model.encode_last(HISTORY).sin().sum().backward()
    slope = sum(parameter.grad.sum() for parameter in model.parameters()).item()
    found = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for parameter in model.parameters():
                parameter += step
            found.append(model.encode_last(HISTORY).sin().sum().item())
    assert (found[0] - found[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_item_vectors_are_embeddings_plus_projections(norm):
    model = with_text(norm=norm)
    expected = torch.stack(
        [e + model.text.weight @ torch.from_numpy(x) for e, x in zip(model.item_embedding.weight, VECTORS, strict=True)]
    )
    torch.testing.assert_close(model.item_vectors(), expected)
    plain = made(norm=norm)
    plain.load_state_dict({key: value for key, value in model.state_dict().items() if not key.startswith("text.")})
    plain.item_embedding.weight.data = expected.detach()
    torch.testing.assert_close(model.encode(HISTORY), plain.encode(HISTORY))


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("shared", [True, False])
def test_few_items_are_scored_as_in_the_catalogue(similarity, shared):
    """Values and gradients of a sampled loss, from the rows alone and from the table of all items."""
    model, found = with_text(similarity=similarity), []
    positives = torch.tensor([[1], [6], [0]])
    negatives = NEGATIVES if shared else NEGATIVES.repeat(3, 1) + torch.arange(3)[:, None]
    for whole in (False, True):
        model.zero_grad()
        scorer = model.score(Batch.of_users(torch.arange(3), HISTORY))
        assert isinstance(scorer, LazyVectors) == (similarity == "dot")
        if whole:
            table = scorer.catalogue()
            scores = torch.cat([table.gather(1, positives), table.gather(1, negatives.expand(3, -1))], 1)
        else:
            scores = torch.cat([scorer.of(positives), scorer.of(negatives)], 1)
        log_softmax(scores, 1)[:, 0].sum().backward()
        found.append([scores, *(parameter.grad.clone() for parameter in model.parameters())])
    torch.testing.assert_close(*found)


def test_a_diagnostic_does_not_take_the_gradient_of_the_table():
    model = with_text()
    scorer = model.score(Batch.of_users(torch.arange(3), HISTORY))
    with torch.no_grad():
        assert scorer.items.shape == (12, 8)
    scorer.log_partition().sum().backward()
    assert model.text.weight.grad.abs().sum() > 0


def test_evaluation_computes_the_table_once_for_the_same_weights():
    model = with_text()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        first = model.item_vectors()
        assert model.item_vectors() is first
        model.item_embedding.weight += 1
        torch.testing.assert_close(model.item_vectors(), first + 1)
        model.load_state_dict(before)
        torch.testing.assert_close(model.item_vectors(), first)
        assert model.train().item_vectors() is not model.item_vectors()
    assert model.eval().item_vectors().requires_grad


def test_longer_vectors_are_cut_to_their_principal_directions():
    """The best approximation by the singular value decomposition; zeros stay zeros, and short vectors stay as they are."""
    vectors = np.concatenate([VECTORS, np.zeros((1, 6), np.float32)])
    u, s, _ = np.linalg.svd(vectors.astype(np.float64))
    best = u[:, :2] * s[:2]
    kept = principal(vectors, 2)
    np.testing.assert_allclose(kept @ kept.T, best @ best.T, atol=1e-6)
    assert not kept[-1].any()
    assert principal(vectors, 6) is vectors
    assert made(VECTORS, text="add", text_dim=2).text.vectors.shape == (12, 2)


def test_the_penalty_reads_embeddings_without_text():
    model = with_text()
    batch = Batch(torch.arange(3), torch.ones(3, 1).long(), NEGATIVES, torch.zeros(3, 1).long(), history=HISTORY)
    assert all(table is model.item_embedding.weight for table, _ in model.regularised(batch))


@pytest.mark.parametrize("options", [{"block": "ligr"}, {"text": "add"}, {"block": "ligr", "text": "add"}])
def test_the_contract_of_models(options):
    check_model(SASRec, embedding_dim=8, **options)


def test_gated_blocks_are_pre_norm():
    with pytest.raises(ConfigError, match=r"^model\.block is ligr, .* but model\.norm is post; set model\.norm=pre$"):
        made(block="ligr", norm="post")


def test_text_needs_semantics(next_item):
    message = r"^model\.text is add, which needs vectors of item texts; add semantics: \{name: wordllama\}"
    with pytest.raises(ConfigError, match=message):
        recpair.load_config(next_item, ["model.text=add"])


@pytest.fixture
def next_item(quick):
    """A config that learns a succession in seconds."""
    quick |= {"split": "leave_last", "loss": "softmax"}
    quick |= {"model": {"name": "sasrec", "embedding_dim": 16, "dropout": 0.1, "history_length": 5}}
    quick |= {"sampler": {"name": "sequences", "negatives": "all", "batch_size": 16}}
    quick["train"] |= {"epochs": 4, "learning_rate": 0.01, "l2": 1e-6}
    return quick


def test_no_text_is_encoded_unless_it_is_used(next_item, succession, caplog):
    caplog.set_level("INFO", "recpair")
    run = recpair.fit(next_item | {"semantics": TFIDF}, data=succession, items=TITLES)
    assert "no component uses semantics; nothing is encoded" in caplog.text
    assert not [name for name in run.model.state_dict() if name.startswith("text")]


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax"])
def test_a_succession_is_learnt_with_text_and_loaded_without(loss, next_item, succession):
    """Trained from sparse texts, by whole and by sampled losses; the run folder needs no texts."""
    next_item |= {"semantics": TFIDF, "loss": loss}
    next_item["model"] |= {"text": "add", "block": "ligr"}
    next_item["sampler"]["negatives"] = "all" if loss == "softmax" else "uniform"
    next_item["train"]["epochs"] = 40
    next_item["evaluate"]["mask_seen"] = False
    run = recpair.fit(next_item, ["sampler.n_negatives=8"] * (loss != "softmax"), data=succession, items=TITLES)
    assert run.metrics["test"]["hit@1"] >= 0.9
    loaded = recpair.load(run.folder)
    assert loaded.model.text.vectors.any()
    assert loaded.recommend(k=5).equals(run.recommend(k=5))


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(next_item, succession, tmp_path):
    next_item |= {"semantics": TFIDF}
    next_item["model"] |= {"text": "add", "block": "ligr"}
    halves = ["train.checkpoint_every=2", "train.patience=null"]
    data = {"data": succession, "items": TITLES}
    whole = recpair.fit(next_item, [*halves, f"output={tmp_path}/whole"], **data).model.state_dict()
    recpair.fit(next_item, [*halves, "train.epochs=2"], **data)
    resumed = recpair.fit(next_item, [*halves, "train.epochs=4"], resume=True, **data).model.state_dict()
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.items())


GROUPS, MEMBERS = 8, 6  # the last member of each group is rare


def test_text_gives_rare_items_a_place(next_item):
    """Items of group g + 1 follow those of group g, and titles name the group; each rare item has one training event.

    After an item of group g, the rare item of the next group ranks among the frequent ones with text only.
    """
    draw = np.random.default_rng(0)
    rows = []
    for user in range(120):
        for step in range(6):
            member = MEMBERS - 1 if step == 0 and user < GROUPS else draw.integers(MEMBERS - 1)
            rows.append((user, (user + step) % GROUPS * MEMBERS + int(member), step))
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": range(GROUPS * MEMBERS)}).with_columns(
        title=pl.format("group{}", pl.col("item_id") // MEMBERS)
    )
    next_item["train"] |= {"epochs": 20}
    ranks = {}
    for text in ("none", "add"):
        overrides = [f"model.text={text}", f"output={next_item['output']}-{text}"]
        run = recpair.fit(next_item | {"semantics": TFIDF}, overrides, data=events, items=items)
        histories = [[g * MEMBERS] for g in range(GROUPS)]
        found = run.recommend(histories=histories, k=GROUPS * MEMBERS - 1)["item_id"].to_numpy().reshape(GROUPS, -1)
        rare = (np.arange(GROUPS) + 1) % GROUPS * MEMBERS + MEMBERS - 1
        ranks[text] = np.argmax(found == rare[:, None], axis=1)
    assert ranks["add"].mean() < MEMBERS
    assert ranks["none"].mean() > 2 * MEMBERS

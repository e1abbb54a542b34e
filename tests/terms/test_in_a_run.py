"""Terms in a whole run: what the config accepts and refuses, what is logged, and that looking changes nothing."""

import math

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.errors import ConfigError
from recpair.experiment.build import build
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.experiment.requirements import needs
from recpair.models.sphere import alignment, uniformity
from recpair.terms import TERMS


@pytest.fixture
def sequential(tmp_path):
    """A tiny sequence model's config."""
    return {
        "split": {"name": "leave_last"},
        "sampler": {"name": "sequences", "batch_size": 64},
        "model": {"name": "sasrec", "history_length": 6, "embedding_dim": 8, "n_layers": 1, "inner_dim": 8},
        "train": {"epochs": 2, "seed": 1},
        "evaluate": {"metrics": ["ndcg"], "cutoffs": [5], "monitor": "ndcg@5"},
        "tracking": None,
        "output": str(tmp_path / "run"),
    }


@pytest.fixture
def events():
    """30 users walk along 20 items, from anywhere, 8 steps each."""
    user, step = np.divmod(np.arange(240), 8)
    return pl.DataFrame({"user_id": user, "item_id": (7 * user + step) % 20, "timestamp": step})


WITHOUT_SEMANTICS = sorted(name for name, term in TERMS.items() if "semantics" not in needs(term))


def test_every_term_trains_and_is_logged(sequential, events):
    config = sequential | {"contrast": [{"name": name, "weight": 0.05} for name in WITHOUT_SEMANTICS]}
    run = recpair.fit(config, data=events)
    history = pl.read_parquet(run.folder / "history.parquet")
    logged = {metric: value for epoch, metric, value in history.rows() if epoch == 2}
    parts = ["recommendation", *WITHOUT_SEMANTICS]
    assert all(logged[f"train/{name}"] != 0 for name in WITHOUT_SEMANTICS)
    assert logged["train/loss"] == pytest.approx(sum(logged[f"train/{name}"] for name in parts), rel=1e-6)
    for name in ("alignment", "uniformity_queries", "uniformity_items"):
        assert math.isfinite(logged[f"train/{name}"])


SEMANTIC = sorted(name for name, term in TERMS.items() if "semantics" in needs(term))
SEMANTICS = {"name": "wordllama", "template": "{title}", "k": 3}
TITLES = pl.DataFrame({"item_id": range(20), "title": [f"{['red', 'blue'][i % 2]} shoe {i}" for i in range(20)]})


@pytest.mark.parametrize("encoder", ["wordllama", "tfidf"])
def test_semantic_terms_train_from_titles(encoder, sequential, events):
    """From text to a term in the loss; each of them moves the weights, and a second run finds the same."""
    pytest.importorskip("wordllama", reason="needs recpair[text]")
    config = sequential | {"semantics": SEMANTICS | {"name": encoder}, "contrast": SEMANTIC}
    first, second = (
        recpair.fit(config | {"output": f"{sequential['output']}-{n}"}, data=events, items=TITLES) for n in "ab"
    )
    last = {metric: value for epoch, metric, value in first.history.rows() if epoch == 2}
    assert all(last[f"train/{name}"] > 0 for name in SEMANTIC)
    assert first.metrics["test"] == second.metrics["test"]
    plain = recpair.fit(sequential, data=events)
    for name in SEMANTIC:
        alone = recpair.fit(config | {"contrast": [name]}, data=events, items=TITLES)
        assert not torch.equal(alone.model.item_vectors(), plain.model.item_vectors()), name


def test_semantics_that_no_term_uses_are_not_made(sequential, events, caplog):
    with caplog.at_level("INFO", logger="recpair"):
        recpair.fit(sequential | {"semantics": SEMANTICS, "contrast": ["duorec"]}, data=events)
    assert "no component uses semantics" in caplog.text


def weights_after(config, events, output, **overrides):
    run = recpair.fit(config | {"output": str(output)} | overrides, data=events)
    return run.model.state_dict()


def test_a_weight_of_zero_has_no_effect(sequential, events, tmp_path):
    plain = weights_after(sequential, events, tmp_path / "plain")
    nothing = [{"name": "cl4srec", "weight": 0.0}]
    zero = weights_after(sequential, events, tmp_path / "zero", contrast=nothing)
    some = weights_after(sequential, events, tmp_path / "some", contrast=["cl4srec"])
    assert all(torch.equal(plain[name], zero[name]) for name in plain)
    assert not all(torch.equal(plain[name], some[name]) for name in plain)


def test_a_resumed_run_ends_where_the_uninterrupted_one_ends(sequential, events, tmp_path):
    """Prototypes are made anew at the start of an epoch, so nothing of them needs to be kept."""
    config = sequential | {"contrast": [{"name": "iclrec", "intents": 4}, "duorec"]}
    config["train"] |= {"checkpoint_every": 1}
    whole = weights_after(config, events, tmp_path / "whole", train=config["train"] | {"epochs": 3})
    folder = {"output": str(tmp_path / "parts")}
    recpair.fit(config | folder, data=events)
    resumed = recpair.fit(config | folder, ["train.epochs=3"], data=events, resume=True)
    assert all(torch.equal(value, whole[name]) for name, value in resumed.model.state_dict().items())


def test_held_out_items_change_nothing_before_training(sequential, events):
    """Other validation and test events, same training events: correlations and same-target rows are the same."""
    config = sequential | {"contrast": ["coserec", "duorec", "iclrec"]}
    held_out = pl.col("timestamp") >= 6
    poisoned = events.with_columns(pl.when(held_out).then((pl.col("item_id") + 3) % 20).otherwise(pl.col("item_id")))
    tables = []
    for data in (events, poisoned):
        checked = load_config(config)
        splits = prepare(checked, data)
        objective = build(checked, splits).objective
        tables.append(dict(objective.learnt_terms.named_buffers()) | {"train": torch.from_numpy(splits.train.item)})
    assert len(tables[0]) > 8
    assert all(torch.equal(tables[1][name], table) for name, table in tables[0].items())


def test_terms_have_weights_and_defaults(sequential):
    checked = load_config(sequential | {"contrast": ["cl4srec"]}, ["terms.0.weight=0.3"])
    assert checked["terms"][0]["weight"] == 0.3
    assert checked["terms"][0]["crop"] == 0.6
    assert checked.flat()["terms.0.temperature"] == 1.0
    assert load_config(sequential | {"contrast": ["duorec"]})["terms"][0]["weight"] == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contrast": [{"name": "cl4srec", "wieght": 1}]}, "terms.0.wieght is unknown; did you mean weight?"),
        ({"contrast": [{"name": "cl4srec", "weight": -1}]}, "terms.0.weight"),
        ({"contrast": [{"name": "cl4srec", "label": "train/x"}]}, "terms.0.label"),
        ({"contrast": ["cl4srek"]}, "did you mean cl4srec?"),
        ({"contrast": ["duorec", "sra_cl_cross"]}, "terms.1.name is sra_cl_cross, which needs semantic neighbours"),
        ({"contrast": ["cl4srec", "cl4srec"]}, "logged as cl4srec, like terms.0; give it another label"),
        ({"contrast": [{"name": "cl4srec", "label": "loss"}]}, "logged as loss, like the log of every epoch"),
        (
            {"contrast": ["cl4srec"], "model": "mf", "sampler": "pairs"},
            "terms.0.name is cl4srec, which needs histories, which model mf does not read",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_data_is_read(sequential, change, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?").replace(".", r"\.")):
        load_config(sequential | change)


def test_a_term_may_be_there_twice_under_two_labels(sequential, events):
    twice = [{"name": "cl4srec", "crop": 0.9}, {"name": "cl4srec", "crop": 0.3, "label": "cropped_hard"}]
    config = load_config(sequential | {"contrast": twice})
    objective = build(config, prepare(config, events)).objective
    assert list(objective.terms) == ["cl4srec", "cropped_hard"]


# Geometry


def test_alignment_and_uniformity_against_loops():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    unit = [[v / v.norm() for v in vectors] for vectors in (x, y)]
    expected = sum(float((a - b).square().sum()) for a, b in zip(*unit, strict=True)) / 6
    assert alignment(x, y).item() == pytest.approx(expected)
    pairs = [(a, b) for i, a in enumerate(unit[0]) for b in unit[0][:i]]
    mean = sum(math.exp(-2 * float((a - b).square().sum())) for a, b in pairs) / len(pairs)
    assert uniformity(x).item() == pytest.approx(math.log(mean))
    assert alignment(x, x).item() == 0
    assert uniformity(x[:1].expand(5, -1)).item() == pytest.approx(0)


def test_a_look_at_the_geometry_draws_nothing(sequential, events):
    config = load_config(sequential)
    components = build(config, prepare(config, events))
    batch = next(iter(components.sampler.epoch(1)))
    step = components.objective.step(batch, 1)
    _ = step.scorer
    state = torch.get_rng_state()
    found = components.objective._diagnosed(step)
    assert len(found) == 3
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(value.requires_grad for value in found.values())

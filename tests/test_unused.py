"""Keys that a model does not use are refused beside its name, and dropped with a note if only its name is overridden."""

import re

import pytest
import yaml

import recpair
from recpair.errors import ConfigError
from recpair.experiment.loading import load_config, load_stored

GRADIENT = {
    "model": {"name": "mf", "embedding_dim": 16},
    "sampler": {"n_negatives": 4},
    "loss": {"name": "sampled_softmax", "temperature": 0.2},
    "denoise": "pld",
    "hard_negatives": "dns",
    "terms": [{"name": "norm", "weight": 0.1}],
    "train": {"epochs": 3, "learning_rate": 0.01, "seed": 7},
    "evaluate": {"metrics": ["ndcg", "ils"], "trim": 0.1},
}
LISTED = (
    "loss.name ('sampled_softmax'), sampler.n_negatives (4), denoise.name ('pld'), hard_negatives.name ('dns'), "
    "train.epochs (3), train.learning_rate (0.01), evaluate.trim (0.1)"
)


def refused(config, overrides=()):
    with pytest.raises(ConfigError) as caught:
        load_config(config, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_message_lists_all_keys_and_the_overrides_that_drop_them():
    config = {
        "model": "ease",
        "loss": "hinge",
        "hard_negatives": "dns",
        "sampler": "sequences",
        "train": {"l2": 0.001},
        "terms": ["norm"],
    }
    message = refused(config)
    for key in ("loss.name ('hinge')", "hard_negatives.name ('dns')", "sampler.name ('sequences')", "train.l2 (0.001)"):
        assert key in message
    overrides = message.partition("add the overrides ")[2].split(" ")
    assert set(overrides) == {"loss=bpr", "sampler=pairs", "hard_negatives=null", "train.l2=0", "terms.0=null"}
    accepted = load_config(config, overrides)
    assert accepted["terms"] == []
    assert accepted["loss"] == {"name": "bpr"}


@pytest.mark.parametrize("model", ["ease", "ials", "item_knn", "popularity"])
def test_keys_that_only_precede_the_models_name_are_dropped_with_one_note(model):
    checked = load_config(GRADIENT, [f"model={model}"])
    defaults = load_config({"model": model})
    for section in ("sampler", "loss", "denoise", "hard_negatives", "terms"):
        assert checked[section] == defaults[section]
    assert checked["train"] == defaults["train"] | {"seed": 7}
    assert checked["evaluate"]["trim"] == 0
    notes = [note for note in checked.notes if note.startswith(f"model {model} does not use these keys of the config")]
    assert len(notes) == 1
    assert LISTED in notes[0]
    assert "terms.0 ('norm')" in notes[0]
    assert load_config(checked).sections == checked.sections


def test_overrides_are_later_than_the_model_of_the_config():
    assert "does not use train.epochs (3); remove it, or add the override train.epochs=100" in refused(
        {"model": "ease"}, ["train.epochs=3"]
    )
    assert "does not use denoise.name ('pld')" in refused(GRADIENT, ["model=ease", "denoise=pld"])
    assert "does not use train.epochs (9)" in refused({}, ["model=ease", "train.epochs=9"])


def test_defaults_are_never_refused():
    checked = load_config({"model": "ease", "loss": "bpr", "train": {"epochs": 100, "device": "cpu"}})
    assert not [note for note in checked.notes if "does not use" in note]
    again = load_config(yaml.safe_load(checked.to_yaml()))
    assert again.sections == checked.sections


def test_a_sequence_model_replaces_a_collaborative_one_and_back():
    forth = load_config(GRADIENT | {"sampler": {"name": "pairs", "n_negatives": 4}}, ["model=sasrec"])
    assert forth["sampler"]["name"] == "sequences"
    assert forth["sampler"]["n_negatives"] == 4
    config = {
        "model": {"name": "sasrec", "inner_dim": 8, "embedding_dim": 32},
        "sampler": {"name": "sequences", "examples": "prefixes", "batch_size": 99},
        "terms": ["duorec", {"name": "norm", "weight": 0.2}],
    }
    back = load_config(config, ["model.name=mf"])
    assert back["sampler"]["name"] == "pairs"
    assert back["sampler"]["batch_size"] == 99
    assert [term["name"] for term in back["terms"]] == ["norm"]
    assert back["model"]["embedding_dim"] == 32
    (note,) = (note for note in back.notes if "does not use" in note)
    for key in (
        "sampler.name ('sequences')",
        "sampler.examples ('prefixes')",
        "terms.0 ('duorec')",
        "model.inner_dim (8)",
    ):
        assert key in note
    assert "histories" in refused(config | {"model": "mf", "sampler": {}})


def test_options_that_a_replaced_component_had_are_named():
    checked = load_config(GRADIENT, ["loss=bpr"])
    assert any("loss.temperature (0.2)" in note for note in checked.notes)
    assert load_config(GRADIENT, ["loss.name=bpr"])["loss"] == {"name": "bpr"}
    assert "loss.temprature is unknown; did you mean" in refused(
        GRADIENT | {"loss": {"name": "bpr", "temprature": 1}}, ["loss.name=sampled_softmax"]
    )
    assert "loss.temperature is unknown" in refused(GRADIENT, ["loss.name=bpr", "loss.temperature=0.1"])


def test_a_loss_of_another_model_gives_way():
    checked = load_config({"loss": "own", "model": "recbole/SGL"}, ["model=mf"])
    assert checked["loss"] == {"name": "bpr"}
    assert any("loss.name ('own')" in note for note in checked.notes)


def test_the_note_is_in_the_summary_and_stored_configs_are_read_leniently(checkerboard, quick):
    run = recpair.fit(quick, ["model=ease"], data=checkerboard)
    assert re.search(r"Note: model ease does not use .*train\.epochs \(5\)", (run.folder / "SUMMARY.md").read_text())
    assert recpair.load(run.folder).config["train"]["epochs"] == 100
    earlier = dict(run.config) | {"loss": {"name": "hinge"}, "denoise": {"name": "pld"}}
    assert load_stored(earlier)["denoise"] is None
    assert "evaluate.trim" in refused(earlier | {"evaluate": {"trim": 0.1}})


def test_a_term_is_dropped_by_null():
    config = {"terms": [{"name": "norm", "weight": 0.1}, {"name": "l2", "weight": 0.2}]}
    assert [term["name"] for term in load_config(config, ["terms.0=null"])["terms"]] == ["l2"]

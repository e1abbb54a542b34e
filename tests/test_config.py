"""The signature is the schema: what is accepted, what is understood, and how a mistake is answered."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from recpair import config as configs
from recpair.errors import ConfigError
from recpair.schema import SCHEMA, load_config

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*/*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_config_of_the_repository_binds(path):
    if path.stem.startswith("recbole-") and importlib.util.find_spec("recbole") is None:
        pytest.skip("recbole needs Python 3.11")
    checked = load_config(path)
    assert checked.notes == ()
    assert checked["output"] == f"runs/{path.parent.name}-{path.stem}"


def test_the_effective_config_has_every_default_and_binds_again():
    checked = load_config({"data": {"source": "ml-100k"}, "denoise": "pld"})
    authors = {"name": "pld", "candidates": 5, "temperature": 0.1, "start_epoch": 5}
    assert checked["denoise"] == authors | {"final_temperature": None, "anneal_epochs": 50}
    assert checked["train"]["learning_rate"] == 0.001
    assert load_config(yaml.safe_load(checked.to_yaml())).sections == json.loads(json.dumps(checked.sections))
    assert checked.flat()["sampler.batch_size"] == 2048


def test_overrides_are_typed_as_yaml_and_leave_the_original_alone():
    raw = {"train": {"epochs": 3}, "denoise": "pld"}
    checked = load_config(
        raw, ["train.learning_rate=1.0e-2", "evaluate.cutoffs=[5, 7]", "denoise.temperature=0.5", "split=temporal"]
    )
    assert checked["train"]["learning_rate"] == 0.01
    assert checked["evaluate"]["cutoffs"] == [5, 7]
    assert checked["denoise"]["temperature"] == 0.5
    assert checked["split"]["name"] == "temporal"
    assert load_config(raw, ["denoise=null"])["denoise"] is None
    assert load_config(raw, ["tracking=null"])["tracking"] is None
    assert load_config(raw)["tracking"]["experiment"] == "recpair"
    assert raw == {"train": {"epochs": 3}, "denoise": "pld"}


def test_other_packages_spellings_are_understood_with_a_note():
    raw = {
        "model": {"embedding_size": 16},
        "train": {"lr": 0.01, "stopping_step": 4},
        "sampler": {"train_batch_size": 99},
        "evaluate": {"topk": 7, "metrics": ["NDCG", "HR"], "valid_metric": "NDCG@7"},
    }
    checked = load_config(raw)
    assert checked["model"]["embedding_dim"] == 16
    assert checked["train"]["learning_rate"] == 0.01
    assert checked["train"]["patience"] == 4
    assert checked["sampler"]["batch_size"] == 99
    assert checked["evaluate"]["metrics"] == ["ndcg", "hit"]
    assert checked["evaluate"]["cutoffs"] == [7]
    assert checked["evaluate"]["monitor"] == "ndcg@7"
    assert "model.embedding_size is understood as model.embedding_dim" in checked.notes
    assert len(checked.notes) >= 6


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"modle": {}}, "config section 'modle' is unknown; did you mean model?"),
        ({"model": {"name": "mf", "embeding_dim": 3}}, "model.embeding_dim is unknown; did you mean embedding_dim?"),
        ({"model": {"learning_rate": 3}}, "model.learning_rate is unknown; did you mean train.learning_rate?"),
        ({"model": {"embedding_dim": -8}}, "model.embedding_dim: input should be greater than 0, got -8"),
        ({"train": {"epochs": "many"}}, "train.epochs: input should be a valid integer"),
        ({"model": {"name": "nmf"}}, "model.name: unknown name 'nmf'; did you mean mf?"),
        ({"model": 3}, "model: expected keys and values, got 3"),
        ({"contrast": {}}, "contrast: expected a list"),
        ({"output": 3}, "output: expected str, got 3"),
        ({"denoise": {"temperature": 0.1}}, "denoise.name is missing"),
        ({"evaluate": {"monitor": "ndgc@10"}}, "unknown metric 'ndgc'; did you mean ndcg?"),
        ({"evaluate": {"monitor": "ndcg"}}, "add a cut-off"),
        ({"evaluate": {"metrics": ["auc"]}}, "unknown metric 'auc'"),
        ({"model": "popularity", "denoise": "pld"}, "is not trained by a loss"),
        ({"noise": {}}, "noise.ratio is missing"),
        ({"sampler": {"correct": True}}, "which loss bpr does not have; set loss.name=sampled_softmax"),
        ({"split": {"name": "ratio", "by": "item"}}, "split.by: input should be 'user' or 'all'"),
    ],
)
def test_mistakes_are_named_with_the_nearest_key(raw, message):
    with pytest.raises(ConfigError) as caught:
        load_config(raw)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs", "not of the form section.key=value"),
        ("=3", "not of the form"),
        ("train.epochs=[1", "not valid YAML"),
        ("output.name.x=1", "output"),
    ],
)
def test_bad_overrides(assignment, message):
    with pytest.raises(ConfigError, match=message):
        load_config({"output": "runs/x"}, [assignment])


def test_files(tmp_path):
    toml = tmp_path / "c.toml"
    toml.write_text('[data]\nsource = "ml-100k"\n[train]\nepochs = 2\n')
    assert load_config(toml)["train"]["epochs"] == 2
    for name, content, message in (
        ("bad.yaml", "a: [1", "cannot be read"),
        ("list.yaml", "- 1", "holds no sections"),
        ("bad.toml", "a = ", "cannot be read"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ConfigError, match=message):
            configs.read(tmp_path / name)
    with pytest.raises(ConfigError, match="does not exist"):
        configs.read(tmp_path / "none.yaml")


def test_no_key_means_two_things_in_a_section():
    """Sections that configure several functions would otherwise give one value to two parameters."""
    from recpair.registry import options

    for spec in SCHEMA.values():
        names = [name for function in spec.functions for name in options(function)]
        assert len(names) == len(set(names))

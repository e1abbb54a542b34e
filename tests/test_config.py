"""The signature is the schema: what is accepted, what is understood, and how a mistake is answered."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from recpair import raw_config
from recpair.errors import ConfigError, shown
from recpair.experiment.loading import load_config
from recpair.experiment.schema import SCHEMA

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
        ({"terms": {}}, "terms: expected a list"),
        ({"output": 3}, "output: expected str, got 3"),
        ({"denoise": {"temperature": 0.1}}, "denoise.name is missing"),
        ({"evaluate": {"monitor": "ndgc@10"}}, "unknown metric 'ndgc'; did you mean ndcg?"),
        ({"evaluate": {"monitor": "ndcg"}}, "add a cut-off"),
        ({"evaluate": {"metrics": ["auc"]}}, "unknown metric 'auc'"),
        ({"model": "popularity", "denoise": "pld"}, "model popularity does not use denoise.name ('pld')"),
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
        ("bad.yaml", "a: [1", "is not valid YAML"),
        ("list.yaml", "- 1", "holds no sections"),
        ("bad.toml", "a = ", "is not valid TOML"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ConfigError, match=message):
            raw_config.read(tmp_path / name)
    with pytest.raises(ConfigError, match="does not exist"):
        raw_config.read(tmp_path / "none.yaml")


def test_no_key_means_two_things_in_a_section():
    """Sections that configure several functions would otherwise give one value to two parameters."""
    from recpair.registry import options

    for spec in SCHEMA.values():
        names = [name for function in spec.functions for name in options(function)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: {epochs: 3}\ntrain: {epochs: 2}\n", "key 'train' occurs twice, in lines 1 and 2"),
        ("train:\n  epochs: 3\n  epochs: 2\n", "key 'epochs' occurs twice, in lines 2 and 3"),
        ("contrast:\n- {name: cl4srec, weight: 1, weight: 2}\n", "key 'weight' occurs twice, in lines 2 and 2"),
        ("data: &a {path: x, columns: *a}\n", "nested too deeply"),
        ("data: " + "[" * 900 + "]" * 900 + "\n", "nested too deeply"),
        ("data: " + "[" * 3000 + "]" * 3000 + "\n", "nested too deeply"),
        ("train: {epochs: " + "9" * 5000 + "}\n", "cannot be read"),
        ("train: {epochs: 0x" + "9" * 5000 + "}\n", "an integer of"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "more than 100,000 values",
        ),
        ("? [1, 2]\n: 3\n", "not valid YAML"),
        ("3\n", "holds no sections"),
        ("null\n", "holds no sections"),
        ("", "holds no sections"),
        (b"\xff\xfea\x00:\x00", "not UTF-8"),
        (b"a: \x00\x01", "not valid YAML"),
        ("output: " + "x" * 1_000_001, "expected at most 1,000,000"),
        ("start: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
    ],
)
def test_hostile_files_are_one_bounded_line(tmp_path, content, message):
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) <= 390
    assert "\n" not in str(caught.value)


def test_hostile_toml_is_one_bounded_line(tmp_path):
    for content in ("a = 1\na = 2\n", "a = " + "[" * 3000, "a = " + "9" * 5000, "\x00", "[train]\n[train]\n"):
        (tmp_path / "c.toml").write_text(content)
        with pytest.raises(ConfigError, match=r"c\.toml") as caught:
            load_config(tmp_path / "c.toml")
        assert len(str(caught.value)) <= 390


def test_a_config_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero"), "\0", "x" * 5000):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert len(str(caught.value)) <= 390


def test_python_values_are_made_plain_or_refused():
    given = {"train": {"epochs": np.int64(3), "learning_rate": np.float64(0.5)}, "output": Path("runs/x")}
    checked = load_config(given | {"evaluate": {"cutoffs": (1, 2)}})
    assert (checked["train"]["epochs"], checked["train"]["learning_rate"]) == (3, 0.5)
    assert (checked["output"], checked["evaluate"]["cutoffs"]) == ("runs/x", [1, 2])
    loop: dict = {}
    loop["data"] = loop
    for config, message in (
        (loop, "nested too deeply"),
        ({"train": {"epochs": object()}}, "train.epochs is of type object"),
        ({"train": {("a",): 3}}, "expected text as a key"),
        ({"train": {"epochs": 10**5000}}, "an integer of 16,610 bits"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_config(config)
    for overrides in ("train.epochs=3", [3], 3, None, ["train.epochs=" + "x" * 5000], ["a..b=3"], ["." * 3000 + "=1"]):
        with pytest.raises(ConfigError) as caught:
            load_config({}, overrides)
        assert len(str(caught.value)) <= 390


def test_values_inside_a_message_are_bounded():
    assert shown("x" * 5000) == "'" + "x" * 63 + " … " + "x" * 32 + "'"
    assert len(str(ConfigError("y" * 10_000))) == 390
    assert str(ConfigError("a\n\tb\x1b[31m")) == "a b\\x1b[31m"


def test_a_key_may_have_the_name_of_a_method_of_pydantic():
    assert load_config({"tracking": {"register": "films"}})["tracking"]["register"] == "films"
    with pytest.raises(ConfigError, match=r"tracking.register: .* got 'a/b'"):
        load_config({"tracking": {"register": "a/b"}})
    with pytest.raises(ConfigError, match=r"tracking.registers is unknown; did you mean register"):
        load_config({"tracking": {"registers": "films"}})

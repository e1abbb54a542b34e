"""The JSON Schema of configs accepts the shipped ones and rejects what ``load_config`` rejects key by key."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from recpair.cli import main
from recpair.experiment.json_schema import json_schema
from recpair.experiment.loading import load_config

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*/*.yaml"))


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_shipped_configs_are_valid(path, validator):
    validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("more", [{"terms": ["norm"], "semantics": {}}, {"model": "ease"}, {"model": "sasrec"}])
def test_effective_configs_are_valid(more, validator):
    validator.validate(load_config(more).sections)


@pytest.mark.parametrize(
    "raw",
    [
        {"modle": "mf"},
        {"model": {"name": "mf", "embeding_dim": 3}},
        {"model": {"embedding_dim": -8}},
        {"model": {"name": "ease", "embedding_dim": 8}},
        {"model": "nmf"},
        {"train": {"epochs": "many"}},
        {"terms": {}},
        {"output": 3},
        {"denoise": {"temperature": 0.1}},
        {"noise": {}},
        {"split": {"name": "ratio", "by": "item"}},
    ],
)
def test_mistakes_of_single_keys_are_found(raw, validator):
    assert not validator.is_valid(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"model": {"embedding_dim": 8}, "denoise": None, "tracking": None},
        {"model": "recbole/SGL", "train": {"l2": 0.1}},
        {"loss": "my_package.losses:my_loss", "contrast": [{"name": "l2", "weight": 1}]},
        {"semantics": {"k": 3}},
    ],
)
def test_every_form_of_a_component_is_valid(raw, validator):
    validator.validate(raw)


def test_the_command_prints_it(capsys):
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()

"""Configs that ship with the package: found by name, and never in place of a file."""

import logging
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

import recpair
from recpair import shipped
from recpair.cli import main
from recpair.errors import ConfigError
from recpair.experiment.loading import load_config

ROOT = Path(__file__).parent.parent


def test_every_shipped_config_is_a_valid_one():
    files = {path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").glob("*/*.yaml")}
    assert set(shipped.names()) == files
    for name in files:
        assert load_config(name).sections == load_config(ROOT / "configs" / name).sections


@pytest.mark.parametrize("asked", ["ml-100k/mf-bpr.yaml", "ml-100k/mf-bpr", "configs/ml-100k/mf-bpr.yaml"])
def test_a_name_is_found_from_anywhere_with_a_note(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(asked, ["evaluate.metrics=[NDCG]"])
    assert config["output"] == "runs/ml-100k-mf-bpr"
    assert config.notes == (
        f"file {asked} not found; using ml-100k/mf-bpr.yaml, which ships with recpair",
        "evaluate.metrics: ['NDCG'] is understood as ['ndcg']",
    )
    assert load_config(config).notes == config.notes


def test_a_file_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ml-100k").mkdir()
    Path("ml-100k/mf-bpr.yaml").write_text("output: mine\n")
    config = load_config("ml-100k/mf-bpr.yaml")
    assert (config["output"], config.notes) == ("mine", ())


def test_an_unknown_name_gets_the_nearest_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", "ml100k/mf-bpr-pdl.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: config file ml100k/mf-bpr-pdl.yaml does not exist; ")
    assert "ml-100k/mf-bpr-pld.yaml" in error
    assert len(error) <= 400
    with pytest.raises(ConfigError, match=r"^config file nothing.yaml does not exist; give the path .*recpair doctor"):
        load_config("nothing.yaml")


def test_the_note_reaches_the_user(tmp_path, monkeypatch, checkerboard, quick, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "names", lambda: {"demo/quick.yaml": tmp_path / "q.yaml"})
    Path("q.yaml").write_text(yaml.safe_dump(quick))
    with caplog.at_level(logging.INFO, logger="recpair"):
        recpair.fit("demo/quick.yaml", ["train.epochs=1"], data=checkerboard)
    assert "using demo/quick.yaml, which ships with recpair" in caplog.text


def test_a_wheel_holds_the_configs_where_they_are_looked_for(tmp_path, monkeypatch):
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert build["force-include"] == {"configs": "recpair/configs"}
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "site-packages" / "recpair")
    shutil.copytree(ROOT / "configs", tmp_path / "site-packages" / "recpair" / "configs")
    path, _ = shipped.locate("gowalla/ease")
    assert path.is_relative_to(tmp_path)

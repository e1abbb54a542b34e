"""The shipped configs of MovieLens-100K without recbole: downloaded data, else the generated shop."""

import importlib.util

import polars as pl
import pytest

import recpair
from recpair.cli import main
from recpair.data.shop import shop
from recpair.errors import DataError
from recpair.experiment import fallback
from recpair.experiment.fallback import with_available_data
from recpair.experiment.loading import load_config

find_spec = importlib.util.find_spec


@pytest.fixture
def without_recbole(tmp_path, monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "recbole" else find_spec(name, *rest)
    )
    monkeypatch.setenv("RECPAIR_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recpair.run.report.RunReport._draw", lambda *args, **kwargs: None)
    return tmp_path


def offline(name, root, **options):
    raise DataError("cannot reach files.grouplens.org")


def online(name, root, **options):
    (root / name).mkdir(parents=True)
    shop()[0].with_columns(rating=pl.lit(4)).write_parquet(root / name / "interactions.parquet")
    return root / name


SHORT = ["train.epochs=1", "tracking=null"]


def test_without_a_network_the_shop_takes_its_place(without_recbole, monkeypatch, capsys):
    monkeypatch.setattr(fallback, "fetch", offline)
    assert main(["fit", "--config", "configs/ml-100k/mf-bpr-pld.yaml", *SHORT]) == 0
    shown = capsys.readouterr()
    assert "cannot reach files.grouplens.org" in shown.err
    assert "not those of ml-100k" in shown.err
    assert "on shop" in shown.out
    run = recpair.load("runs/shop-mf-bpr-pld")
    assert run.metrics["data"]["name"] == "shop"
    assert run.recommend([1], k=3, titles=True)["title"].null_count() == 0


def test_with_a_network_the_set_is_downloaded(without_recbole, monkeypatch):
    monkeypatch.setattr(fallback, "fetch", online)
    config = load_config("ml-100k/mf-bpr.yaml")
    assert with_available_data(config, "ml-100k/mf-bpr.yaml") == config
    monkeypatch.setattr(fallback, "fetch", offline)  # it is there now
    assert with_available_data(config, "ml-100k/mf-bpr.yaml") == config


def test_every_shipped_config_that_needs_no_recbole_has_data(without_recbole, monkeypatch):
    monkeypatch.setattr(fallback, "fetch", offline)
    for name in ("mf-bpr-pld-authors", "sasrec-softmax", "sasrec-sra-cl"):
        config = with_available_data(load_config(f"ml-100k/{name}"), f"ml-100k/{name}")
        assert config["data"]["source"] == "shop"
        assert config["output"] == f"runs/shop-{name}"
        if config["semantics"] is not None:
            assert set(config["semantics"]["template"].replace("}", "{").split("{")[1::2]) <= set(shop()[1].columns)


def test_a_config_of_the_user_is_not_changed(without_recbole, monkeypatch):
    monkeypatch.setattr(fallback, "fetch", offline)
    (without_recbole / "mine.yaml").write_text("data: {source: ml-100k}\ntracking: null\noutput: runs/mine\n")
    with pytest.raises(DataError, match=r"recpair data fetch ml-100k.*data\.source=shop"):
        recpair.fit("mine.yaml")
    with pytest.raises(DataError, match="ml-100k comes inside"):
        recpair.fit({"data": {"source": "ml-100k"}, "tracking": None})


def test_an_output_of_the_user_is_kept(without_recbole, monkeypatch):
    monkeypatch.setattr(fallback, "fetch", offline)
    config = load_config("ml-100k/mf-bpr.yaml", ["output=runs/mine"])
    assert with_available_data(config, "ml-100k/mf-bpr.yaml")["output"] == "runs/mine"

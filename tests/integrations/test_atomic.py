"""Exported files are read back by recpair's own reader and by RecBole's Dataset."""

import importlib.util

import polars as pl
import pytest

import recpair
from recpair.cli import main
from recpair.data.interactions import Interactions
from recpair.experiment.export import export
from recpair.integrations.atomic import item_table
from recpair.integrations.recbole.borrowed import borrowed
from recpair.integrations.recbole.dataset import TrainingSet


@pytest.fixture
def run(checkerboard, quick, tmp_path):
    """A run on a file, with an item table."""
    checkerboard.with_columns(rating=pl.lit(4.5), timestamp=pl.int_range(pl.len())).write_csv(tmp_path / "events.csv")
    titles = pl.DataFrame(
        {"item_id": range(40), "title": [f"Film\t{i}" for i in range(40)], "year": [1990 + i % 9 for i in range(40)]}
    )
    titles.write_csv(tmp_path / "items.csv")
    quick |= {"data": {"path": str(tmp_path / "events.csv"), "items": str(tmp_path / "items.csv")}}
    return recpair.fit(quick, ["train.epochs=1"])


def pairs(frame):
    return set(frame.select(pl.col("user_id", "item_id").cast(pl.String)).rows())


def test_what_is_exported_is_read_back(run, checkerboard, tmp_path, capsys):
    folder = tmp_path / "board"
    assert main(["export", str(run.folder), "--out", str(folder)]) == 0
    names = ["board.item", "board.test.inter", "board.train.inter", "board.valid.inter"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert "board.train.inter" in capsys.readouterr().out
    for part in ("train", "valid", "test"):
        read = Interactions.read(folder / f"board.{part}.inter").to_polars()
        assert pairs(read) == pairs(checkerboard.filter(checkerboard["split"] == part))
    assert read.columns == ["user_id", "item_id", "rating", "timestamp"]
    assert (folder / "board.item").read_text().splitlines()[:2] == [
        "item_id:token\ttitle:token_seq\tyear:token",
        "0\tFilm 0\t1990",
    ]


def test_without_the_data_set_what_was_trained_on_is_exported(run, tmp_path):
    (tmp_path / "events.csv").unlink()
    assert [path.name for path in export(run, tmp_path / "board")] == ["board.inter", "board.item"]
    read = Interactions.read(tmp_path / "board" / "board.inter").to_polars()
    assert pairs(read) == pairs(run.recommender.train.to_polars())


@pytest.mark.skipif(importlib.util.find_spec("recbole") is None, reason="recbole needs Python 3.11")
def test_recboles_dataset_reads_it_and_says_what_ours_says(run, tmp_path, monkeypatch):
    """Same sizes, same matrix, same histories, by external ids. (token_seq columns it reads under pandas 2 only.)"""
    export(run, tmp_path / "board")
    monkeypatch.chdir(tmp_path)
    options = {
        "data_path": str(tmp_path),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id", "rating"], "item": ["item_id", "year"]},
        "use_gpu": False,
        "state": "ERROR",
    }
    with borrowed():
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation

        config = Config(model="BPR", dataset="board", config_dict=options)
        theirs = data_preparation(config, create_dataset(config))[0].dataset
        histories, _, lengths = theirs.history_item_matrix()
        matrix = theirs.inter_matrix(form="csr")
    ours = TrainingSet(run.recommender.train)
    assert (ours.user_num, ours.item_num, ours.inter_num) == (theirs.user_num, theirs.item_num, theirs.inter_num)
    users, items = (
        theirs.token2id("user_id", [str(u) for u in range(40)]),
        theirs.token2id("item_id", [str(i) for i in range(40)]),
    )
    assert (matrix[users][:, items] != ours.inter_matrix(form="csr")[1:, 1:]).nnz == 0
    own_histories, _, own_lengths = ours.history_item_matrix()
    assert own_lengths[1:].tolist() == lengths[users].tolist()
    first = sorted(theirs.id2token("item_id", histories[users[0]].numpy()), key=str)
    assert first == sorted([str(item - 1) if item else "[PAD]" for item in own_histories[1].tolist()], key=str)


def test_no_value_is_missing_and_no_line_is_broken():
    items = pl.DataFrame(
        {
            "item_id": [1, 2, 3],
            "title": ["A\nB", None, ""],
            "year": [1990.0, None, 2000.0],
            "genres": [["Drama", "War"], None, []],
            "code": ["x", "y", "z"],
        }
    )
    assert item_table(items).to_dict(as_series=False) == {
        "item_id:token": ["1", "2", "3"],
        "title:token_seq": ["A B", "[unknown]", "[unknown]"],
        "year:float": [1990.0, 1995.0, 2000.0],
        "genres:token_seq": ["Drama War", "[unknown]", "[unknown]"],
        "code:token": ["x", "y", "z"],
    }

"""``recpair export``: formats, folders that are in use, missing packages, interruptions."""

import inspect
import sys
import typing

import polars as pl
import pytest

import recpair
from recpair.cli import export as command
from recpair.cli import main
from recpair.errors import RunError
from recpair.experiment.export import FORMATS
from recpair.testing.models import checkerboard


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    items = pl.DataFrame({"item_id": range(40), "title": [f"Film {i}" for i in range(40)]})
    config = {
        "model": {"name": "mf", "embedding_dim": 4},
        "train": {"epochs": 1},
        "evaluate": {"monitor": None},
        "tracking": None,
        "output": str(tmp_path_factory.mktemp("run") / "run"),
    }
    return recpair.fit(config, data=checkerboard().drop("split"), items=items)


def test_the_command_offers_the_formats():
    annotation = inspect.signature(command.export).parameters["format"].annotation
    assert set(typing.get_args(typing.get_args(annotation)[0])) == set(FORMATS)


@pytest.mark.parametrize(("format", "expected"), [("vektors", "vectors"), ("ONNX", "onnx"), (None, "recbole")])
def test_an_unknown_format_is_refused(run, tmp_path, format, expected):
    with pytest.raises(RunError, match=f"expected one of .*{expected}"):
        recpair.export(run, tmp_path / "new", format=format)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_overwritten(run, tmp_path, format, capsys):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, message in (("used", "used is not empty; choose another folder"), ("file", "Not a directory")):
        assert main(["export", str(run.folder), "--format", format, "--out", str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "used"]
    assert [path.read_text() for path in (tmp_path / "used").iterdir()] == ["mine"]


def test_an_empty_folder_is_used_and_the_paths_are_returned(run, tmp_path):
    (tmp_path / "vectors").mkdir()
    paths = recpair.export(run, tmp_path / "vectors", format="vectors")
    assert sorted(paths) == sorted((tmp_path / "vectors").iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_an_interrupted_export_leaves_nothing(run, tmp_path, format, monkeypatch):
    def fails(*args, **kwargs):
        raise KeyboardInterrupt

    target = {"recbole": "recpair.integrations.atomic.item_table", "onnx": "recpair.integrations.onnx.export._save"}
    target |= {"mlflow": "recpair.tracking.pyfunc.write_environment"}
    monkeypatch.setattr(target.get(format, "recpair.files.write_bytes"), fails)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        recpair.export(run, tmp_path / "new", format=format)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_a_killed_export_left_is_cleared(run, tmp_path):
    (tmp_path / ".new.part").mkdir()
    (tmp_path / ".new.part" / "half.parquet").write_text("half")
    recpair.export(run, tmp_path / "new", format="vectors")
    assert not (tmp_path / ".new.part").exists()
    assert not (tmp_path / "new" / "half.parquet").exists()


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [("vectors", "faiss", "vectors"), ("onnx", "onnxscript", "onnx"), ("onnx", "onnxruntime", "onnx")],
)
def test_a_missing_package_is_named_with_its_extra(run, tmp_path, format, package, extra, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else object())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RunError, match=rf"needs {package}: run pip install 'recpair\[{extra}\]'"):
        recpair.export(run, tmp_path / "new", format=format)
    assert not (tmp_path / "new").exists()

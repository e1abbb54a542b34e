"""A tour of bad inputs: each is one line that names the place, exit code 2, and nothing is written."""

import os
import resource
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml

import recpair
from recpair.cli import main
from recpair.errors import ConfigError, RunError


@pytest.fixture
def project(tmp_path, checkerboard, quick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkerboard.write_csv("events.csv")
    quick |= {"data": {"path": "events.csv"}, "output": "runs/demo"}
    quick["train"] |= {"epochs": 2}
    Path("config.yaml").write_text(yaml.safe_dump(quick))
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("finished")
    user, item = zip(*[(u, i) for u in range(12) for i in range(12) if (u + i) % 2 == 0], strict=True)
    frame = pl.DataFrame({"user_id": user, "item_id": item})
    config = {"model": {"embedding_dim": 4}, "train": {"epochs": 1}, "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}}
    return recpair.fit(config | {"tracking": None, "output": str(folder / "run")}, data=frame).folder


def tree(folder: Path) -> dict[str, int]:
    return {
        str(p.relative_to(folder)): p.stat().st_size
        for p in folder.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }


def refused(arguments, message, capsys, folder=Path()) -> None:
    """The command fails with one line on stderr that holds the message, and leaves the folder as it was."""
    before = tree(folder)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert tree(folder) == before


def fit(*overrides):
    return ["fit", "--config", "config.yaml", *overrides]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "events.csv does not exist"),
        ("", "events.csv is empty"),
        ("user_id,thing\n1,2\n", "no column 'item_id'"),
        ("user_id,item_id,timestamp\n1,2,3\n1,3\n", "line 3 has 2 fields, but line 1 has 3"),
        ("user_id,item_id,timestamp\n1,2,3\n1,3,noon\n", "line 3: timestamp is 'noon'"),
        ("user_id,item_id\n1,2\n1,\n", "line 3: item_id is empty"),
        ("user_id,item_id\n1,2\n1,3\n1,4\n", "events of one user only"),
        ("user_id,item_id\n1,2\n2,2\n3,2\n", "events of one item only"),
        ("user_id,item_id\n1,2\n2,3\n", "leaves no valid events"),
        ("user_id,item_id,item_id\n1,2,3\n", "line 1 names column 'item_id' twice"),
        ("user_id,item_id,timestamp\n1,2,3\n1,3,inf\n", "line 3: timestamp is 'inf'"),
        ("user_id,item_id,timestamp\n1,2,3\n1,3,99999999999999999999\n", "expected a finite number of at most 64 bits"),
        ("user_id,item_id\n1,2\né,3\n".encode("latin-1"), "line 3 is not UTF-8"),
        ("user_id,item_id\n1,2\n".encode("utf-16"), "not text in UTF-8"),
        (b"\x1f\x8b\x08\x00\x00", "not text in UTF-8"),
    ],
)
def test_bad_event_files(project, capsys, content, message):
    Path("events.csv").unlink()
    if content is not None:
        Path("events.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(fit("split=ratio"), message, capsys)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["filter.user_core=1000"], "filter.core left none of 800 events"),
        (["filter.min_rating=3"], "filter.min_rating needs a rating column"),
        (["model.embeding_dim=8"], "did you mean embedding_dim?"),
        (["model.embedding_dim=-8"], "model.embedding_dim: input should be greater than 0, got -8"),
        (["train.epochs=lots"], "train.epochs: input should be a valid integer"),
        (["split=ratio", "split.fractions=[0.9, 0.9, 0.1]"], "split.fractions"),
        (["split=leave_last"], "needs a time column"),
        (["evaluate.cutoffs=[50]"], "50 is larger than the catalogue of 40 items"),
        (["evaluate.monitor=ndcg@5000"], "5000 is larger than the catalogue"),
        (["sampler.negatives=unifrom"], "did you mean uniform?"),
        (["data.source=ml-100k"], "either data.source"),
        (["train.epochs"], "not of the form section.key=value"),
        (["train.learning_rate=.inf"], "train.learning_rate: input should be a finite number"),
        (["split=ratio", "split.fractions=[.nan, 0.1, 0.1]"], "split.fractions.0: input should be a finite number"),
        (["train.seed=99999999999999999999"], "train.seed: 99999999999999999999 is too large"),
        (["model.embedding_dim=10000000000000"], "lower model.embedding_dim"),
        (["model.name=3"], "model.name is 3; expected one of"),
        (["data.columns.time=null"], "data.columns.time: input should be a valid string or"),
        (["data.columns.user=item_id"], "data.columns.item and data.columns.user are both 'item_id'"),
        (["evaluate.metrics=[ndgc]"], "evaluate.metrics: unknown metric 'ndgc'; did you mean ndcg?"),
        (["evaluate.metrics=[ndcg@5]"], "cut-offs in evaluate.cutoffs"),
        (["train.epochs=true"], "train.epochs: expected a number, got true"),
        (["evaluate.cutoffs=[true]"], "evaluate.cutoffs.0: expected a number, got true"),
        (["sampler.negatives={uniform: true}"], "sampler.negatives.uniform: expected a number, got true"),
        (["evaluate.trim=0.2", "model=ease"], "model ease does not use evaluate.trim (0.2)"),
        (["evaluate.trim=0.2", "evaluate.monitor=null"], "evaluate.monitor is null: there is no validation"),
        (["split=whole"], "split.name is whole, which leaves no validation events"),
        (["train.device=mps"], "train.device is mps, which this machine lacks"),
    ],
)
def test_bad_configs(project, capsys, monkeypatch, overrides, message):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    refused(fit(*overrides), message, capsys)


def test_bad_command_lines(project, capsys):
    refused(["fit"], "--config", capsys)
    refused(["fit", "--config", "none.yaml"], "none.yaml does not exist", capsys)
    refused(["fti"], "fti", capsys)
    refused(["recommend", "runs/none", "--all", "--out", "x.csv"], "runs/none does not exist", capsys)


def test_help_shows_what_is_in_brackets(capsys):
    assert main(["evaluate", "--help"]) == 0
    assert "[recall,ndcg,map]" in " ".join(capsys.readouterr().out.split())


def test_a_misspelt_set_is_told_from_a_file(capsys):
    refused(
        ["data", "describe", "ml-100m"], "ml-100m is neither a named data set nor a file; did you mean ml-100k?", capsys
    )


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"recpair {recpair.__version__}\n"


def test_objects_of_other_kinds_are_refused():
    with pytest.raises(ConfigError, match="of type NoneType; give a path"):
        recpair.fit(None)
    with pytest.raises(RunError, match="not by NoneType"):
        recpair.load(None)


def test_a_group_without_a_verb_shows_its_help(capsys):
    assert main(["data"]) == 2
    captured = capsys.readouterr()
    assert "describe" in captured.out + captured.err
    assert "error:" not in captured.err


def test_an_output_that_is_no_run_folder_is_left_alone(project, capsys):
    Path("precious").mkdir()
    Path("precious/thesis.txt").write_text("years of work")
    refused(fit("output=precious"), "is not a run folder", capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "--k", "13"], "k is 13, but there are 12 items"),
        (["--all", "--k", "0"], "choose k between 1 and 12"),
        (["--users", "users.txt", "--k", "2"], "unknown user_id: nobody"),
        (["--users", "none.csv"], "none.csv does not exist"),
        (["--users", "empty.txt"], "contains no users"),
        (["--users", "wrong.csv"], "no column 'user_id'"),
        (["--users", "nothing.csv"], "nothing.csv contains no users"),
        (["--users", "latin.txt"], "latin.txt is not UTF-8"),
        ([], "either --users FILE or --all"),
        (["--all", "--users", "users.txt"], "either --users FILE or --all"),
    ],
)
def test_bad_requests_for_recommendations(finished, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("users.txt").write_text("3\nnobody\n")
    Path("empty.txt").write_text("\n")
    Path("wrong.csv").write_text("client\n3\n")
    Path("nothing.csv").touch()
    Path("latin.txt").write_bytes(b"\xe9\n")
    refused(["recommend", str(finished), *arguments, "--out", "recs.csv"], message, capsys)


def test_an_ending_that_says_nothing(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    refused(["recommend", str(finished), "--all", "--k", "3", "--out", "recs.xlsx"], "expected one of .csv", capsys)


NEEDED = ["config.yaml", "metrics.json", "model.safetensors", "vocabulary.parquet", "train.parquet"]


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("damage", ["removed", "truncated"])
def test_a_damaged_run_folder(finished, tmp_path, monkeypatch, capsys, name, damage):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "run")
    file = Path("run") / name
    content = file.read_bytes()
    file.unlink()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    refused(["recommend", "run", "--all", "--k", "2", "--out", "recs.csv"], name, capsys)


def test_weights_of_another_model(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "run")
    config = Path("run/config.yaml")
    config.write_text(config.read_text().replace("embedding_dim: 4", "embedding_dim: 5"))
    refused(["recommend", "run", "--all", "--k", "2", "--out", "recs.csv"], "config.yaml does not match", capsys)
    Path("run/manifest.json").unlink()  # as a run of an earlier version, which has no checksums
    refused(["recommend", "run", "--all", "--k", "2", "--out", "recs.csv"], "model.safetensors", capsys)


def test_a_read_only_output_folder(project, capsys):
    """As root no folder is read-only, so the test gives its rights away for a moment."""
    assert main(fit("output=runs/warm")) == 0  # everything is imported and compiled before
    capsys.readouterr()
    locked = project / "locked"
    locked.mkdir()
    for folder in [project, *project.parents]:
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o755)
    locked.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        refused(fit("output=locked/run"), "locked/run", capsys, locked)
    finally:
        if root:
            os.seteuid(0)
        locked.chmod(0o755)


def test_a_full_disk(project, capsys):
    """The process may write files of 2 KiB at most, as on a disk that is nearly full."""
    assert main(fit("output=runs/warm")) == 0
    capsys.readouterr()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        code = main(fit("output=runs/full"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2
    error = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note:")]
    assert len(error) == 1
    assert "cannot write" in error[0]
    assert "runs/full" in error[0]
    left = [p.name for p in Path("runs/full").rglob("*") if p.is_file()]
    assert "metrics.json" not in left
    assert not [name for name in left if name.endswith(".part")]

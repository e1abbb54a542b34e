"""Errors of other libraries at the public functions: one line, with the cause kept; forks are refused."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import polars as pl
import pytest
import yaml

import recpair
from recpair import boundary as boundaries
from recpair.boundary import boundary
from recpair.errors import RecpairError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (pl.exceptions.ComputeError("bad\nrow"), "polars reports ComputeError: bad row"),
        (yaml.YAMLError("x"), "YAML reports YAMLError: x"),
        (OSError(28, "No space left on device", "out/x"), "out/x: No space left on device"),
        (MemoryError("8 TiB"), "out of memory (8 TiB); lower model.embedding_dim"),
        (RuntimeError("[enforce fail] can't allocate memory"), "out of memory"),
        (RecursionError("maximum"), "nested too deeply"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), "not valid text"),
        (ValueError("embedded null byte"), "null character"),
    ],
)
def test_errors_of_the_system_and_of_other_libraries(error, message):
    @boundary
    def act():
        raise error

    with pytest.raises(RecpairError) as caught:
        act()
    assert message in str(caught.value)
    assert caught.value.__cause__ is error


def test_own_faults_pass_unchanged():
    @boundary
    def act():
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        act()


def test_the_command_line_reports_own_faults_in_one_line(monkeypatch, capsys):
    from recpair.cli import main
    from recpair.experiment import overview

    monkeypatch.setattr(overview, "describe", lambda *args: {}["no\nkey"])
    assert main(["data", "describe", "x"]) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: internal error (KeyError: ")
    assert "--debug" in line
    with pytest.raises(KeyError):
        main(["data", "describe", "x", "--debug"])


def ask(folder: str, answers) -> None:
    try:
        answers.put(len(recpair.load(folder).recommend([0], k=2)))
    except RecpairError as error:
        answers.put(str(error))


@pytest.mark.parametrize(("start", "expected"), [("fork", "use the start method spawn"), ("spawn", 2)])
def test_a_fork_is_refused_and_a_new_process_answers(tmp_path, start, expected):
    frame = pl.DataFrame({"user_id": [u for u in range(8) for _ in range(6)], "item_id": [i % 9 for i in range(48)]})
    config = {"model": "popularity", "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}, "tracking": None}
    folder = str(recpair.fit(config | {"output": str(tmp_path / "run")}, data=frame).folder)
    context = multiprocessing.get_context(start)
    answers = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python itself warns of forks beside threads
        worker = context.Process(target=ask, args=(folder, answers))
        worker.start()
    try:
        answer = answers.get(timeout=60)
    finally:
        worker.kill()
    assert expected in answer if isinstance(expected, str) else answer == expected


def test_the_first_call_in_a_fork_of_a_fresh_process_works(monkeypatch):
    monkeypatch.setattr(boundaries, "_process", None)
    assert boundary(os.getpid)() == os.getpid()


def test_a_folder_for_kernels_where_none_can_be_written(tmp_path, monkeypatch):
    from recpair import compiled

    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path / "fresh"))
    compiled.provide_folder()
    assert compiled.VARIABLE not in os.environ  # numba finds a folder itself
    monkeypatch.setattr(compiled, "_writable", lambda folder: False)
    compiled.provide_folder()
    folder = Path(os.environ[compiled.VARIABLE])
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv(compiled.VARIABLE)
    folder.chmod(0o777)  # anybody could have put compiled code there
    compiled.provide_folder()
    assert os.environ[compiled.VARIABLE] == str(tmp_path / "fresh")


@pytest.mark.skipif(os.getuid() == 0, reason="everything can be written by root")
def test_a_read_only_installation_without_a_home(tmp_path):
    shutil.copytree(Path(recpair.__file__).parent, tmp_path / "recpair", ignore=shutil.ignore_patterns("__pycache__"))
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"HOME": "/nonexistent", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import recpair, recpair.evaluation.kernels; print(recpair.__file__)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd="/")
    for folder in folders:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))

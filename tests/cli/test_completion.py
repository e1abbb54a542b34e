"""What the shell completes: verbs, config files, run folders and config keys, without the heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recpair.cli import completion


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text("")
    Path("my.txt").write_text("")
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/manifest.json").write_text("{}")
    Path(".hidden.yaml").write_text("")


def completed(line: str) -> list[str]:
    """What bash is offered for a line."""
    environment = os.environ | {
        "_RECPAIR_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    code = "import sys; sys.argv[0] = 'recpair'; from recpair.cli import entry; entry()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash():
    assert "recommend" in completed("recpair re")
    assert "my.yaml" in completed("recpair fit --config m")


def test_candidates():
    assert completion.configs("m")[0] == "my.yaml"
    assert "ml-100k/mf-bpr.yaml" in completion.configs("ml-")
    assert ".hidden.yaml" not in completion.configs("")
    assert completion.runs("runs/") == ["runs/mine"]
    assert completion.runs("r") == ["runs/"]
    assert completion.configs("none/x") == []
    assert completion.keys("train.ep") == ["train.epochs="]
    assert {"model.name=", "model.embedding_dim="} < set(completion.keys("model."))

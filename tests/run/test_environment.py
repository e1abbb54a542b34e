"""What is recorded of the working directory's repository, and that nothing of it is run."""

import os
import shutil
import subprocess

import pytest

from recpair.run.environment import git_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A function that runs git in a repository with one committed file."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*args):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (folder / "model.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.chdir(folder)
    return git


def test_commit_and_changes(repository, tmp_path):
    assert git_state() == {"git_commit": repository("rev-parse", "HEAD").strip(), "git_dirty": False}
    (tmp_path / "repository" / "data.csv").write_text("untracked")
    assert git_state()["git_dirty"] is False
    (tmp_path / "repository" / "model.py").write_text("x = 2\n")
    assert git_state()["git_dirty"] is True


def test_outside_a_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert git_state() == {}


@pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")
def test_no_program_of_the_repository_is_run(repository, tmp_path):
    folder, witness = tmp_path / "repository", tmp_path / "it ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{witness}'\ncat\n")
    program.chmod(0o755)
    (folder / ".gitattributes").write_text("*.py filter=a.b=c diff=d\n*.txt filter=p\n")
    (folder / "notes.txt").write_text("text")
    repository("add", ".")
    repository("commit", "-q", "-m", "second")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(program, hooks / "post-index-change")
    included = folder / ".git" / "more"
    included.write_text(f'[filter "p"]\n\tprocess = {program}\n\trequired = true\n')
    for key, value in {
        "core.fsmonitor": str(program),
        "core.hooksPath": str(hooks),
        "core.pager": str(program),
        "pager.status": str(program),
        "diff.external": str(program),
        "diff.d.textconv": str(program),
        "filter.a.b=c.clean": str(program),
        "filter.a.b=c.required": "true",
        "include.path": str(included),
    }.items():
        repository("config", key, value)
    for name in ("model.py", "notes.txt"):  # git now has to look at the content
        os.utime(folder / name, (1, 1))
    index = (folder / ".git" / "index").stat().st_mtime_ns
    assert git_state()["git_dirty"] is False
    assert not witness.exists()
    assert (folder / ".git" / "index").stat().st_mtime_ns == index
    subprocess.run(["git", "status"], cwd=folder, capture_output=True, check=False)
    assert witness.exists(), "the programs would have run"

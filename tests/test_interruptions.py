"""A process that dies before any write, rename or removal: nothing is lost, and resuming gives the same run.

The death is simulated in this process: an audit hook raises at the chosen operation and at every later one, so that no
clean-up handler changes a file either. ``RECPAIR_KILLS=all`` tries every operation, otherwise a sample is tried.
"""

import contextlib
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recpair
from recpair.errors import ConfigError
from recpair.experiment.seeds import fit_seeds
from recpair.experiment.semantics import embed
from recpair.experiment.track import track
from recpair.run.report import RunReport
from recpair.tracking.mlflow_tracker import MlflowTracker

CHANGING = ("os.rename", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.remove")


class Killed(BaseException):
    """The simulated end of the process."""


class Killer:
    """Counts the operations that change files under a folder, and dies before the n-th."""

    def __init__(self):
        self.root, self.left, self.done, self.thread = None, 0, 0, None
        sys.addaudithook(self.hear)

    def hear(self, event, args):
        if self.root is None or threading.get_ident() != self.thread or not self.changes(event, args):
            return
        self.done += 1
        if self.left and self.done >= self.left:
            raise Killed

    def changes(self, event, args):
        if event not in CHANGING and event != "open":
            return False
        if event == "open" and (not isinstance(args[1], str) or not set(args[1]) & set("wax+")):
            return False
        path = os.fsdecode(args[0]) if isinstance(args[0], str | bytes | os.PathLike) else ""
        gone = event == "os.remove" and not os.path.lexists(path)
        return path.startswith(self.root) and not path.endswith(".lock") and not gone

    def run(self, act, root, before=0):
        """Do ``act``, dying before its n-th operation (0: never); the number of operations done."""
        self.root, self.left, self.done, self.thread = str(root), before, 0, threading.get_ident()
        try:
            act()
        except Killed:
            pass
        finally:
            self.root = None
        return self.done


KILLER = Killer()


def moments(count, sample):
    """The operations before which the process dies."""
    chosen = range(1, count + 1) if os.environ.get("RECPAIR_KILLS") == "all" else range(1, count + 1, sample)
    return [*chosen]


@pytest.fixture(autouse=True)
def plain_reports(monkeypatch):
    """Drawing takes longer than everything else here."""
    monkeypatch.setattr(RunReport, "_draw", lambda *_: None)


@pytest.fixture
def fit(checkerboard, quick):
    """A fit of three epochs, each of which ends with a checkpoint."""
    quick["train"] |= {"epochs": 3, "checkpoint_every": 1}

    def act(*overrides, resume=False):
        return recpair.fit(quick, overrides, data=checkerboard, resume=resume)

    act.output = Path(quick["output"])
    act.config = quick
    return act


def content(folder):
    """Everything in a run folder that a resumed run has to have in common with the uninterrupted one."""
    metrics = recpair.load(folder).metrics
    return {
        "weights": (folder / "model.safetensors").read_bytes(),
        "history": pl.read_parquet(folder / "history.parquet").to_dicts(),
        "audit": (folder / "audit.parquet").read_bytes(),
        "per_user": (folder / "per_user.parquet").read_bytes(),
        "test": metrics["test"],
        "epochs": metrics["epochs"],
    }


def remains(folder):
    """Names beside the output that should not be there."""
    return sorted(p.name for p in folder.parent.iterdir() if p.name not in (folder.name, f"{folder.name}.1"))


def resumed(fit, *overrides):
    """Resume; where the interrupted fit had not begun, start it."""
    with contextlib.suppress(
        ConfigError
    ):  # "train.seed is 2, but run was started with 1": the earlier run is all there is
        return fit(*overrides, resume=True)
    return fit(*overrides)


def test_a_first_fit(fit):
    count = KILLER.run(fit, fit.output.parent)
    expected = content(fit.output)
    assert count > 20
    for moment in moments(count, 4):
        shutil.rmtree(fit.output.parent)
        fit.output.parent.mkdir()
        KILLER.run(fit, fit.output.parent, moment)
        fit(resume=True)
        assert content(fit.output) == expected, moment
        assert remains(fit.output) == [], moment


def test_a_new_fit_over_an_earlier_run(fit, tmp_path):
    """At every moment the output folder can be loaded: it holds the earlier run, or the new one."""
    fit()
    earlier = content(fit.output)
    shutil.copytree(fit.output.parent, tmp_path / "before")
    act = lambda: fit("train.seed=2")  # noqa: E731
    count = KILLER.run(act, fit.output.parent)
    expected = content(fit.output)
    for moment in moments(count, 3):
        shutil.rmtree(fit.output)
        shutil.rmtree(fit.output.with_name("run.1"))
        shutil.copytree(tmp_path / "before" / "run", fit.output)
        KILLER.run(act, fit.output.parent, moment)
        assert content(fit.output) in (earlier, expected), moment
        resumed(fit, "train.seed=2")
        assert content(fit.output) == expected, moment
        assert content(fit.output.with_name("run.1")) == earlier, moment
        assert remains(fit.output) == ["before"], moment


def test_more_epochs_for_a_complete_run(fit, tmp_path):
    fit("train.epochs=2")
    shutil.copytree(fit.output, tmp_path / "before")
    act = lambda: fit(resume=True)  # noqa: E731
    count = KILLER.run(act, fit.output.parent)
    expected = content(fit.output)
    for moment in moments(count, 6):
        shutil.rmtree(fit.output)
        shutil.rmtree(fit.output.with_name("run.1"))
        shutil.copytree(tmp_path / "before", fit.output)
        KILLER.run(act, fit.output.parent, moment)
        recpair.load(fit.output)
        act()
        assert content(fit.output) == expected, moment


def test_several_seeds(fit, checkerboard):
    def act(resume=False):
        return fit_seeds(fit.config, [1, 2], ["train.epochs=1"], data=checkerboard, resume=resume)

    count = KILLER.run(act, fit.output.parent)
    expected = {name: content(fit.output / name) for name in ("seed-1", "seed-2")}
    for moment in moments(count, 8):
        shutil.rmtree(fit.output)
        KILLER.run(act, fit.output.parent, moment)
        summary = act(resume=True)
        assert summary["runs"] == ["seed-1", "seed-2"]
        assert {name: content(fit.output / name) for name in expected} == expected, moment
        assert remains(fit.output) == [], moment


def test_a_refit(fit, checkerboard, tmp_path):
    fit()
    live, out = content(fit.output), tmp_path / "refits" / "next"

    def act(resume=False):
        return recpair.refit(fit.output, ["train.seed=2"], out=out, data=checkerboard, resume=resume)

    count = KILLER.run(act, out.parent)
    expected, record = content(out), recpair.load(out).metrics["refit"]
    assert count > 20
    for moment in moments(count, 12):
        shutil.rmtree(out.parent)
        out.parent.mkdir()
        KILLER.run(act, out.parent, moment)
        assert act(resume=True).metrics["refit"] == record, moment
        assert content(out) == expected, moment
        assert remains(out) == [], moment
    assert content(fit.output) == live


def test_the_semantic_stage(fit, checkerboard, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(40, 4)).tolist()
    pl.DataFrame({"item_id": range(40), "vector": vectors}).write_parquet(tmp_path / "vectors.parquet")
    checkerboard.write_parquet(tmp_path / "events.parquet")
    config = fit.config | {"data": {"path": str(tmp_path / "events.parquet")}}
    config["semantics"] = {"name": "file", "path": str(tmp_path / "vectors.parquet"), "k": 3}
    kept = fit.output.parent / ".semantics"
    act = lambda: embed(config)  # noqa: E731
    count = KILLER.run(act, kept)
    expected = {path.name: path.read_bytes() for path in kept.iterdir()}
    assert expected
    for moment in moments(count, 1):
        shutil.rmtree(kept)
        KILLER.run(act, kept, moment)
        act()
        assert {path.name: path.read_bytes() for path in kept.iterdir()} == expected, moment


def test_tracking_a_complete_run(fit, tmp_path):
    fit()
    expected = content(fit.output)
    shutil.copytree(fit.output, tmp_path / "before")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    act = lambda: track(recpair.load(fit.output), uri=uri)  # noqa: E731
    count = KILLER.run(act, fit.output)
    assert count > 3
    for moment in moments(count, 2):
        shutil.rmtree(fit.output)
        shutil.copytree(tmp_path / "before", fit.output)
        KILLER.run(act, fit.output, moment)
        assert content(fit.output) == expected, moment
        tracked = act()
        assert recpair.load(fit.output).metrics["mlflow_run_id"] == tracked
        assert MlflowTracker(uri=uri).uri == uri

"""One run in two processes that torchrun has started: one folder, one voice, one end."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

import recpair
from recpair.cli import main

PATIENCE = 300  # seconds until it counts as a hang; a machine that is busy with other work needs minutes


@pytest.fixture
def project(tmp_path, checkerboard, quick, monkeypatch):
    """A config of PLD whose epochs have 12 batches, all of whose losses are remembered."""
    monkeypatch.chdir(tmp_path)
    checkerboard.write_csv("events.csv")
    quick |= {"data": {"path": "events.csv"}, "output": "run", "denoise": {"name": "pld", "candidates": 3}}
    quick["sampler"]["batch_size"] = 60
    quick["train"] |= {"epochs": 10, "audit_from": 1, "device": "cpu"}
    Path("config.yaml").write_text(yaml.safe_dump(quick))


def torchrun(*arguments):
    """``fit`` in two processes, a warning in any of which is an error."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    here = os.pathsep.join([str(Path(recpair.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": here, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [*launcher, "-m", "recpair", "fit", "--config", "config.yaml", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            printed, said = run.communicate(timeout=PATIENCE)
        finally:
            run.terminate()  # where it hangs: torchrun then ends its processes, which would outlive it if it were killed
    return subprocess.CompletedProcess(command, run.returncode, printed, said)


def test_two_processes_make_one_run(project):
    """720 events in 12 batches: with both processes' halves, an epoch draws 3 candidates for each of 720 queries."""
    done = torchrun()
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    assert done.stdout.count("epoch    1/10") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["config.yaml", "events.csv", "run"]
    run = recpair.load("run")
    assert run.metrics["test"]["hit@1"] == 1.0
    assert run.files.json("environment.json")["processes"] == 2
    losses = pl.read_parquet(Path("run") / "audit.parquet")
    assert losses["visits"].min() > 0
    assert losses["visits"].sum() == 3 * 720 * run.metrics["best_epoch"]
    assert losses["chosen"].sum() == 720 * run.metrics["best_epoch"]


def test_a_loss_that_is_not_finite_ends_both(project):
    done = torchrun("train.learning_rate=1e30", "loss=bce")
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "the loss became NaN or infinite in epoch 1" in errors[0]
    assert not (Path("run") / "metrics.json").exists()


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({"TORCHELASTIC_RUN_ID": "none"}, ["--seeds", "1,2"], "start them without torchrun"),
        ({"TORCHELASTIC_RUN_ID": "none"}, ["model=ease", "denoise=null"], "model ease trains in one process only"),
        ({}, [], "start several processes with torchrun"),
    ],
)
def test_what_one_process_alone_can_do(project, monkeypatch, capsys, variables, arguments, message):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0", **variables}.items():
        monkeypatch.setenv(name, value)
    assert main(["fit", "--config", "config.yaml", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("run").exists()

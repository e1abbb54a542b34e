"""The command line as a user meets it: verbs, outputs, help, and one golden loss curve."""

import json
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import yaml

import recpair
from recpair.cli import main

GOLDEN_CURVE = Path(__file__).parent.parent / "golden" / "loss_curve.json"


@pytest.fixture
def project(tmp_path, checkerboard, quick, monkeypatch):
    """A folder with events.csv, items.csv and config.yaml, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    checkerboard.write_csv("events.csv")
    pl.DataFrame({"item_id": range(40), "title": [f"Film {i}" for i in range(40)]}).write_csv("items.csv")
    quick |= {"data": {"path": "events.csv", "items": "items.csv"}, "output": "runs/demo"}
    quick["train"] |= {"epochs": 20}
    Path("config.yaml").write_text(yaml.safe_dump(quick))
    return tmp_path


def test_fit_evaluate_recommend(project, capsys):
    assert main(["fit", "--config", "config.yaml", "train.epochs=30"]) == 0
    out = capsys.readouterr().out
    assert "epoch   10/30" in out
    assert "valid ndcg@5" in out
    assert "most popular" in out
    assert "run folder:  runs/demo" in out
    names = {path.name for path in Path("runs/demo").iterdir()}
    assert names == {
        *("config.yaml", "metrics.json", "history.parquet", "model.safetensors", "vocabulary.parquet", "train.parquet"),
        *("checkpoint", "per_user.parquet", "plots", "SUMMARY.md", "environment.json", "items.parquet"),
        *("audit.parquet", "manifest.json"),
    }
    assert {p.name for p in Path("runs/demo/plots").iterdir()} == {"curves.png", "audit.png"}

    assert main(["evaluate", "runs/demo", "evaluate.metrics=[map]", "evaluate.cutoffs=[3]"]) == 0
    assert "map@3" in capsys.readouterr().out

    Path("users.csv").write_text("user_id\n3\n0\n")
    assert main(["recommend", "runs/demo", "--users", "users.csv", "--k", "2", "--titles", "--out", "recs.csv"]) == 0
    frame = pl.read_csv("recs.csv")
    assert frame.columns == ["user_id", "item_id", "score", "rank", "title"]
    assert frame["user_id"].to_list() == [3, 3, 0, 0]
    assert frame["title"][0] == f"Film {frame['item_id'][0]}"
    for ending, read in (("parquet", pl.read_parquet), ("jsonl", pl.read_ndjson)):
        assert main(["recommend", "runs/demo", "--all", "--out", f"all.{ending}"]) == 0
        everybody = read(f"all.{ending}")
        assert everybody["user_id"].n_unique() == 40
        assert everybody.columns == ["user_id", "item_id", "score", "rank"]


def test_metrics_json_is_the_documented_one(project):
    assert main(["train", "-c", "config.yaml"]) == 0
    metrics = json.loads(Path("runs/demo/metrics.json").read_text())
    assert {"valid", "test", "best_epoch", "epochs", "timing", "mlflow_run_id"} <= set(metrics)
    assert set(metrics["timing"]) == {"load_s", "epoch_s", "samples_per_s", "evaluate_s"}
    assert set(metrics["test"]) == {"hit@1", "hit@5", "ndcg@1", "ndcg@5"}
    assert metrics["epochs"] >= metrics["best_epoch"] >= 1


def test_a_second_fit_moves_the_first_aside(project, capsys):
    for epochs in (1, 2, 3):
        assert main(["fit", "-c", "config.yaml", f"train.epochs={epochs}", "output_keep=2"]) == 0
    assert "is now runs/demo.1" in capsys.readouterr().err
    kept = {path.name: recpair.load(path).metrics["epochs"] for path in Path("runs").iterdir()}
    assert kept == {"demo": 3, "demo.1": 2, "demo.2": 1}
    assert main(["fit", "-c", "config.yaml", "train.epochs=4", "output_keep=2"]) == 0
    assert "runs/demo.2 is removed: output_keep is 2" in capsys.readouterr().err
    assert {path.name for path in Path("runs").iterdir()} == set(kept)
    assert recpair.load("runs/demo.2").metrics["epochs"] == 2


def test_the_loss_curve_is_the_golden_one(project):
    """Five epochs of MF + BPR + PLD on the checkerboard; made by this package, kept to notice a change.

    The tolerance allows for other instruction sets; a change of sampling or arithmetic is far above it.
    """
    overrides = ["denoise=pld", "denoise.start_epoch=2", "sampler.queries=users", "train.l2=0.01", "train.epochs=5"]
    assert main(["fit", "-c", "config.yaml", *overrides]) == 0
    history = pl.read_parquet("runs/demo/history.parquet")
    curve = history.filter(pl.col("metric") == "train/loss")["value"].to_list()
    assert curve == pytest.approx(json.loads(GOLDEN_CURVE.read_text())["loss"], rel=2e-4)


def test_describe(project, capsys):
    assert main(["data", "describe", "events.csv", "filter.user_core=3"]) == 0
    out = capsys.readouterr().out
    assert "0.5000" in out  # density of a checkerboard
    assert "40" in out
    assert "core" in out


def test_doctor(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("torch", "numba threads", "accelerators", "ml-100k"):
        assert word in out


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["fit"],
        ["evaluate"],
        ["recommend"],
        ["browse"],
        ["track"],
        ["doctor"],
        ["data"],
        ["data", "describe"],
        ["data", "fetch"],
    ],
)
def test_every_verb_has_a_page_of_help(verb, capsys):
    assert main([*verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) > 5
    assert "recpair" in out or verb == ["doctor"]


def test_help_imports_nothing_heavy():
    """What makes an answer slow is an import of torch, polars or numba: none is loaded for --help."""
    code = (
        "import sys; from recpair.cli import main; main(['fit', '--help']); "
        "print('heavy:', sorted({'torch', 'polars', 'numba', 'mlflow', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("heavy: []")


def test_debug_shows_the_traceback(project):
    with pytest.raises(recpair.RecpairError):
        main(["fit", "--config", "none.yaml", "--debug"])


def test_interrupting_is_no_traceback(project, monkeypatch, capsys):
    from recpair.experiment import fit as experiment

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "fit", interrupted)
    started = time.process_time()  # a busy machine takes longer on the clock
    assert main(["fit", "-c", "config.yaml"]) == 130
    assert time.process_time() - started < 30
    assert "Traceback" not in capsys.readouterr().err


def test_fit_says_which_epoch_was_kept_if_there_was_one(project, capsys):
    for overrides, line in (
        (["model=item_knn"], "fitted without epochs\n"),
        (["train.epochs=2", "train.patience=null"], "best epoch "),
        (["train.epochs=2", "evaluate.monitor=null"], "kept the last epoch, 2 of 2, "),
    ):
        assert main(["fit", "--config", "config.yaml", f"output=runs/{len(line)}", *overrides]) == 0
        out = capsys.readouterr().out
        assert line in out
        assert "0 of 0" not in out

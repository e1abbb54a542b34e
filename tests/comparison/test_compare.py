"""Runs side by side, and one run with several seeds."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from mlflow import MlflowClient
from scipy import stats

import recpair
from recpair.cli import main
from recpair.errors import ConfigError, RunError
from recpair.experiment.compare import compare
from recpair.experiment.seeds import fit_seeds


@pytest.fixture
def runs(checkerboard, quick, tmp_path):
    """Two runs on the same test: one that has learnt for longer."""
    folders = [tmp_path / name for name in ("short", "long")]
    for folder, epochs in zip(folders, (1, 12), strict=True):
        recpair.fit(quick, [f"train.epochs={epochs}", f"output={folder}"], data=checkerboard)
    return folders


def test_a_table_of_two_runs(runs):
    table = compare(runs, "ndcg@5")
    short, long = (recpair.load(folder).per_user.sort("user_id")["ndcg@5"].to_numpy() for folder in runs)
    row = table.row(1, named=True)
    assert row["run"] == "long"
    assert row["difference"] == pytest.approx((long - short).mean())
    assert row["t_test"] == pytest.approx(stats.ttest_rel(long, short).pvalue)
    assert row["t_test_holm"] == row["t_test"]
    assert row["low"] <= row["mean"] <= row["high"]
    first = table.row(0, named=True)
    assert (first["difference"], first["t_test"], first["t_test_holm"]) == (0, 1, None)


def test_the_command_writes_a_table_and_a_picture(runs, tmp_path, capsys):
    out, plot = tmp_path / "table.csv", tmp_path / "plot.png"
    arguments = ["compare", *map(str, runs), "--metric", "hit@1", "--out", str(out), "--plot", str(plot)]
    assert main(arguments) == 0
    assert pl.read_csv(out)["run"].to_list() == ["short", "long"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "wilcoxon" in capsys.readouterr().out


def test_runs_that_cannot_be_compared(runs, checkerboard, quick, tmp_path):
    other = tmp_path / "other"
    recpair.fit(quick, [f"output={other}"], data=checkerboard.filter(pl.col("user_id") < 39))
    with pytest.raises(RunError, match="different data"):
        compare([runs[0], other], "ndcg@5")
    for key, value in (("evaluate.mask_seen", "false"), ("evaluate.ideal", "full")):
        recpair.fit(quick, [f"output={other}", f"{key}={value}"], data=checkerboard)
        with pytest.raises(RunError, match=rf"short was measured with {key}: .*, other with {key}: \"?{value}"):
            compare([runs[0], other], "ndcg@5")
    recpair.fit(
        quick, [f"output={other}", "evaluate.metrics=[ndcg, {name: debiased_recall, exponent: 1}]"], data=checkerboard
    )
    with pytest.raises(RunError, match=r"with evaluate.metrics \(debiased_recall.exponent\): 1.5, other with .*: 1.0"):
        compare([runs[0], other], "ndcg@5")
    lent = tmp_path / "lent"
    recpair.fit(quick, [f"output={lent}", "split.test=valid", "split.valid=test"], data=checkerboard)
    with pytest.raises(RunError, match=r'different test sets \(split.valid: "valid" and "test"\)'):
        compare([runs[0], lent], "ndcg@5")
    with pytest.raises(RunError, match=r"no metric 'ndgc@5' per user; did you mean ndcg@5"):
        compare(runs, "ndgc@5")
    with pytest.raises(RunError, match="at least two runs"):
        compare(runs[:1], "ndcg@5")


def test_runs_with_the_same_test_are_compared_whatever_trained(runs, checkerboard, quick, tmp_path):
    """A seed that no part of the split reads, validation events that train, noise, more metrics, a larger block."""
    for number, overrides in enumerate(
        [
            ["split.seed=7", "evaluate.metrics=[ndcg]", "evaluate.cutoffs=[5, 7]", "evaluate.block_mb=1"],
            ["evaluate.monitor=null", "noise.ratio=0.1"],
        ]
    ):
        other = tmp_path / f"other-{number}"
        recpair.fit(quick, [f"output={other}", "train.epochs=1", *overrides], data=checkerboard)
        assert len(compare([runs[0], other], "ndcg@5")) == 2


@pytest.mark.parametrize("both", [True, False])
def test_a_run_of_an_earlier_version_is_compared_by_its_config(runs, caplog, both):
    for run in runs if both else runs[1:]:
        record = json.loads((run / "metrics.json").read_text())
        record["data"] = {"name": "events", "fingerprint": "0123456789abcdef"}
        (run / "metrics.json").write_text(json.dumps(record))
        (run / "manifest.json").unlink(missing_ok=True)
    with caplog.at_level("INFO", "recpair"):
        compare(runs, "ndcg@5")
    note = "is a run of an earlier version of recpair; whether both have the same test events cannot be checked"
    assert f"short or long {note}" in caplog.messages
    config = yaml.safe_load((runs[1] / "config.yaml").read_text())
    config["split"]["seed"] = 7
    (runs[1] / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(RunError, match=r"different test sets \(split\.seed: 42 and 7\)"):
        compare(runs, "ndcg@5")


def test_seeds_of_different_tests_are_no_run(checkerboard, quick, tmp_path):
    fit_seeds(quick, [1, 2], [f"output={tmp_path / 'many'}"], data=checkerboard)
    recpair.fit(quick, [f"output={tmp_path / 'one'}"], data=checkerboard)
    changed = checkerboard.with_columns(pl.col("split").replace({"test": "valid", "valid": "test"}))
    recpair.fit(quick, [f"output={tmp_path / 'many' / 'seed-2'}"], data=changed)
    with pytest.raises(RunError, match="seed-1 and seed-2 have different test sets"):
        compare([tmp_path / "one", tmp_path / "many"], "ndcg@5")


def test_several_seeds_are_one_parent_with_children(checkerboard, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    checkerboard.write_parquet("events.parquet")
    store = f"sqlite:///{tmp_path / 'm.db'}"
    quick |= {"data": {"path": "events.parquet"}, "output": "runs/many", "tracking": {"uri": store}}
    Path("config.yaml").write_text(yaml.safe_dump(quick))
    assert main(["fit", "-c", "config.yaml", "--seeds", "1,2,3"]) == 0
    assert "over 3 seeds" in capsys.readouterr().out
    summary = json.loads(Path("runs/many/seeds.json").read_text())
    runs = [recpair.load(f"runs/many/seed-{seed}") for seed in (1, 2, 3)]
    values = [run.metrics["test"]["ndcg@5"] for run in runs]
    assert summary["test"]["ndcg@5"] == {
        "mean": pytest.approx(np.mean(values)),
        "sd": pytest.approx(np.std(values, ddof=1)),
    }
    assert len(set(values)) > 1
    client = MlflowClient(store)
    told = client.search_runs([client.get_experiment_by_name("recpair").experiment_id])
    parents = {run.data.tags.get("mlflow.parentRunId") for run in told}
    parent = next(run for run in told if "mlflow.parentRunId" not in run.data.tags)
    assert parents == {None, parent.info.run_id}
    assert len(told) == 4
    assert parent.data.metrics["test/ndcg_at_5_mean"] == pytest.approx(np.mean(values))


def test_seeds_count_as_one_run_in_a_comparison(checkerboard, quick, tmp_path):
    fit_seeds(quick, [1, 2], [f"output={tmp_path / 'plain'}"], data=checkerboard)
    fit_seeds(quick, [1, 2], [f"output={tmp_path / 'pld'}", "denoise=pld"], data=checkerboard)
    table = compare([tmp_path / "plain", tmp_path / "pld"], "ndcg@5")
    assert table["seeds"].to_list() == [2, 2]
    per_user = [recpair.load(tmp_path / "plain" / f"seed-{s}").per_user.sort("user_id")["ndcg@5"] for s in (1, 2)]
    assert table["mean"][0] == pytest.approx(np.mean([values.mean() for values in per_user]))
    with pytest.raises(recpair.RecpairError, match="distinct seeds"):
        fit_seeds(quick, [1, 1], data=checkerboard)


def test_bad_seeds_on_the_command_line(capsys):
    assert main(["fit", "-c", "none.yaml", "--seeds", "1,two"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("given", ["ab", None, 5, {"a": 1, "b": 2}, (name for name in ("a", "b"))])
def test_what_is_not_a_list_of_runs_or_seeds_is_refused(given, quick, checkerboard):
    with pytest.raises(RunError, match="expected at least two runs to compare"):
        compare(given, "ndcg@5")
    with pytest.raises(ConfigError, match=r"seeds are .*; expected a list of distinct seeds"):
        fit_seeds(quick, given, data=checkerboard)

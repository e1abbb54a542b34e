"""A config over rolling folds: one folder of runs, their means and intervals, seeds, resuming and comparison."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient
from scipy import stats

import recpair
from recpair.cli import main
from recpair.comparison.significance import t_interval
from recpair.errors import ConfigError, DataError, RunError
from recpair.experiment.compare import compare
from recpair.experiment.seeds import fit_seeds
from recpair.run.folds import Folds
from recpair.run.report import RunReport

METRIC = "ndcg@5"


@pytest.fixture(autouse=True)
def plain_reports(monkeypatch):
    """Drawing takes longer than everything else here."""
    monkeypatch.setattr(RunReport, "_draw", lambda *_: None)


@pytest.fixture
def events(checkerboard):
    """The checkerboard in a random order of time; two users have only the latest events."""
    drawn = np.random.default_rng(3).random(len(checkerboard))
    late = checkerboard["user_id"].is_in([38, 39]).to_numpy()
    return checkerboard.drop("split").with_columns(timestamp=np.argsort(np.argsort(drawn + late)))


@pytest.fixture
def config(quick):
    quick["split"] = {"name": "rolling", "folds": 3, "horizon": 120}
    quick["data"] = {"time_unit": "order"}
    quick["train"]["epochs"] = 2
    return quick


@pytest.fixture
def fixed(config):
    """Without training by a loss: a fit takes milliseconds."""
    return {key: config[key] for key in ("split", "data", "evaluate", "tracking", "output")} | {"model": "popularity"}


def content(folder):
    """Everything that a resumed run has to have in common with the uninterrupted one."""
    return [(folder / name).read_bytes() for name in ("model.safetensors", "per_user.parquet", "history.parquet")]


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.4], [0.3] * 5, [1.0, 2.0]])
def test_the_interval_is_that_of_scipy(values):
    expected = (np.mean(values),) * 2
    if len(set(values)) > 1:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert t_interval(values) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least two"):
        t_interval([0.5])


def test_means_and_intervals_over_the_folds(config, events):
    folds = recpair.fit(config, data=events)
    assert isinstance(folds, Folds)
    runs = folds.runs
    values = [run.metrics["test"][METRIC] for run in runs]
    found = folds.summary["test"][METRIC]
    assert len(set(values)) == 3
    assert folds.metrics["test"][METRIC] == found["mean"] == pytest.approx(np.mean(values))
    assert found["sd"] == pytest.approx(np.std(values, ddof=1))
    interval = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx(interval)
    for part in ("valid", "popularity"):
        assert folds.metrics[part][METRIC] == pytest.approx(np.mean([run.metrics[part][METRIC] for run in runs]))
    assert [run.config["split"]["fold"] for run in runs] == [1, 2, 3]
    assert folds.config["split"]["fold"] is None
    record = folds.summary["folds"][2]
    times = [run.recommender.train.time.max() for run in runs]
    assert times == sorted(times)
    assert record["test_users"] == len(runs[2].per_user)
    assert (record["test_events"], record["untested_events"]) == (80, 40)  # those of users 38 and 39
    page = (folds.folder / "SUMMARY.md").read_text()
    assert f"| {METRIC} | {found['mean']:.4f} | {found['sd']:.4f} | {found['low']:.4f} | {found['high']:.4f} |" in page
    assert "The folds share users and training events" in page
    again = recpair.evaluate(runs[1], data=events)[0]
    assert again.means == pytest.approx(runs[1].metrics["test"])


def test_the_folder_is_not_one_run(fixed, events):
    folds = recpair.fit(fixed, data=events)
    message = r"run holds 3 folds; open one of its runs \(fold-1, fold-2, fold-3\)"
    with pytest.raises(RunError, match=message):
        recpair.load(folds.folder)
    with pytest.raises(RunError, match=message):
        folds.recommend(k=3)
    with pytest.raises(RunError, match="expected a Run"):
        recpair.evaluate(folds)
    with pytest.raises(AttributeError):
        _ = folds.nonsense
    assert repr(folds).endswith("run', 3 folds)")
    assert METRIC in folds._repr_html_()
    run = recpair.load(folds.folder / "fold-3")
    assert len(run.recommend(k=2)) == 2 * 38  # users 38 and 39 are unknown
    assert Folds.open(folds.folder).summary == folds.summary
    with pytest.raises(RunError, match=r"fold-3 does not hold folds: folds\.json is missing"):
        Folds.open(run.folder)


def test_one_fold_alone_is_the_run_of_all_folds(config, events, tmp_path):
    folds = recpair.fit(config, data=events)
    alone = recpair.fit(config, ["split.fold=2", f"output={tmp_path / 'alone'}"], data=events)
    assert content(alone.folder) == content(folds.folder / "fold-2")


def test_seeds_of_folds(config, events, tmp_path):
    summary = fit_seeds(config, [1, 2], data=events)
    names = [f"fold-{fold}-seed-{seed}" for fold in (1, 2, 3) for seed in (1, 2)]
    assert summary["runs"] == names
    value = {name: recpair.load(tmp_path / "run" / name).metrics["test"][METRIC] for name in names}
    by_fold = np.array(list(value.values())).reshape(3, 2)
    found = summary["test"][METRIC]
    assert found["mean"] == pytest.approx(by_fold.mean())
    assert found["sd"] == pytest.approx(by_fold.mean(1).std(ddof=1))
    assert found["seed_sd"] == pytest.approx(np.sqrt(by_fold.var(1, ddof=1).mean()))
    plain = recpair.fit(config, [f"output={tmp_path / 'plain'}"], data=events)
    table = compare([plain.folder, tmp_path / "run"], METRIC)
    assert table["folds"].to_list() == [3, 3]
    assert table["seeds"].to_list() == [1, 2]
    assert table["mean"].to_list() == pytest.approx([plain.metrics["test"][METRIC], by_fold.mean()])
    assert table["seed_sd"][1] == pytest.approx(by_fold.mean(0).std(ddof=1))
    with pytest.raises(RunError, match="holds several seeds; add --seeds"):
        recpair.fit(config, data=events, resume=True)
    with pytest.raises(RunError, match="holds a run of one seed; leave out --seeds"):
        fit_seeds(config, [1, 2], [f"output={plain.folder}"], data=events, resume=True)
    with pytest.raises(ConfigError, match=r"split\.fold is 2, but .* was started with None; a resumed run keeps"):
        recpair.fit(config, ["split.fold=2", f"output={plain.folder}"], data=events, resume=True)


def test_users_are_compared_fold_by_fold(config, fixed, events, tmp_path):
    """The naive loop: a user's values weigh 1 / (F · n_f) in each fold, and are one unit of the tests."""
    short = recpair.fit(config, data=events)
    other = recpair.fit(fixed, [f"output={tmp_path / 'other'}"], data=events)
    values: list[dict[int, float]] = [{}, {}]
    for total, folds in zip(values, (short, other), strict=True):
        for run in folds.runs:
            for user, value in run.per_user.select("user_id", METRIC).iter_rows():
                total[user] = total.get(user, 0.0) + value / (3 * len(run.per_user))
    first, second = (len(total) * np.array([total[user] for user in sorted(total)]) for total in values)
    table = compare([short.folder, other.folder], METRIC)
    row = table.row(1, named=True)
    assert table["mean"].to_list() == pytest.approx([first.mean(), second.mean()])
    assert first.mean() == pytest.approx(short.metrics["test"][METRIC])
    assert row["difference"] == pytest.approx(second.mean() - first.mean())
    assert row["t_test"] == pytest.approx(stats.ttest_rel(second, first).pvalue)
    assert row["wilcoxon"] == pytest.approx(stats.wilcoxon(second - first).pvalue)


def test_folds_that_cannot_be_compared(fixed, events, tmp_path):
    folds = recpair.fit(fixed, data=events)
    fewer = recpair.fit(fixed, [f"output={tmp_path / 'fewer'}", "split.folds=2"], data=events)
    with pytest.raises(RunError, match="run has 3 folds, fewer has 2; compare runs on the same folds"):
        compare([folds.folder, fewer.folder], METRIC)
    with pytest.raises(RunError, match="run has 3 folds, fold-1 has 1; compare runs on the same folds"):
        compare([folds.folder, folds.folder / "fold-1"], METRIC)
    longer = recpair.fit(fixed, [f"output={tmp_path / 'longer'}", "split.horizon=100"], data=events)
    with pytest.raises(RunError, match=r'run/fold-1 and longer/fold-1 have different test sets \(split.horizon: "?120'):
        compare([folds.folder, longer.folder], METRIC)


class Killed(BaseException):
    """The simulated end of the process."""


@pytest.mark.parametrize("fold", [1, 3])
def test_a_fit_that_was_killed_in_a_fold_is_resumed(config, events, tmp_path, monkeypatch, fold):
    config["train"]["checkpoint_every"] = 1
    whole = recpair.fit(config, [f"output={tmp_path / 'whole'}"], data=events)

    class Deadly:
        def step(self, *_):
            pass

        def epoch(self, number, values):
            self.epochs = getattr(self, "epochs", 0) + 1
            if self.epochs == 2 * fold:
                raise Killed

    with pytest.raises(Killed):
        recpair.fit(config, data=events, log=Deadly())
    folder = tmp_path / "run"
    with pytest.raises(RunError, match="did not finish"):
        recpair.load(folder)
    done = {
        name: (folder / name).stat().st_mtime_ns
        for name in os.listdir(folder)
        if (folder / name / "metrics.json").exists()
    }
    assert len(done) == fold - 1
    resumed = recpair.fit(config, data=events, resume=True)
    assert all((folder / name).stat().st_mtime_ns == before for name, before in done.items())
    assert resumed.summary == whole.summary
    assert [content(run.folder) for run in resumed.runs] == [content(run.folder) for run in whole.runs]


def test_an_earlier_run_is_kept_and_too_short_data_move_nothing(fixed, events):
    before = recpair.fit(fixed, data=events).summary
    with pytest.raises(DataError, match=r"have room for 5 folds with a horizon of 120"):
        recpair.fit(fixed, ["split.folds=30"], data=events)
    assert Folds.open(fixed["output"]).summary == before
    after = recpair.fit(fixed, ["split.folds=2"], data=events)
    assert len(after.summary["folds"]) == 2
    assert Folds.open(f"{fixed['output']}.1").summary == before


def test_the_command_prints_and_tracks_the_folds(fixed, events, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    events.write_parquet("events.parquet")
    store = f"sqlite:///{tmp_path / 'm.db'}"
    fixed |= {"data": fixed["data"] | {"path": "events.parquet"}, "tracking": {"uri": store}, "output": "runs/folds"}
    Path("config.yaml").write_text(yaml.safe_dump(fixed))
    assert main(["fit", "-c", "config.yaml"]) == 0
    printed = capsys.readouterr()
    assert f"Test {METRIC} by fold" in printed.out
    assert "Test metrics over 3 folds; low … high: 95 % t interval over the folds" in printed.out
    assert "fold 2 of 3: training before" in printed.err
    assert main(["fit", "-c", "config.yaml", "--resume"]) == 0
    assert main(["recommend", "runs/folds", "--all", "--out", "recs.csv"]) == 2
    assert "holds 3 folds; open one of its runs" in capsys.readouterr().err
    assert main(["compare", "runs/folds", "runs/folds", "-m", METRIC]) == 0
    assert f"Test {METRIC} over 3 folds" in capsys.readouterr().out
    client = MlflowClient(store)
    tracked = client.search_runs([client.get_experiment_by_name("recpair").experiment_id])
    (parent,) = [run for run in tracked if "mlflow.parentRunId" not in run.data.tags]
    assert {run.data.tags.get("mlflow.parentRunId") for run in tracked} == {None, parent.info.run_id}
    assert len(tracked) == 4
    summary = json.loads(Path("runs/folds/folds.json").read_text())
    for kind in ("mean", "sd", "low", "high"):
        assert parent.data.metrics[f"test/ndcg_at_5_{kind}"] == pytest.approx(summary["test"][METRIC][kind])
    assert "Test metrics over 3 rolling folds" in parent.data.tags["mlflow.note.content"]
    uploaded = {entry.path for entry in client.list_artifacts(parent.info.run_id, "run")}
    assert {"run/folds.json", "run/SUMMARY.md"} <= uploaded
    assert not any("fold-" in path for path in uploaded)

"""Searches: the trials, interruptions, the winner and its test, several configs."""

import copy
import json
import math
import shutil
from pathlib import Path

import polars as pl
import pytest

import recpair
from recpair.errors import ConfigError, RecpairError, RunError
from recpair.tuning.tune import names_of, opened

RATE = "train.learning_rate"
SPACE = {RATE: {"low": 1e-3, "high": 1e-1, "log": True}, "model.embedding_dim": [4, 8, 16]}
SETTINGS = {
    "split": {"name": "predefined"},
    "sampler": {"batch_size": 256},
    "model": {"name": "mf", "embedding_dim": 8, "init": "normal"},
    "train": {"epochs": 6, "learning_rate": 0.05, "seed": 1, "checkpoint_every": 2},
    "evaluate": {"metrics": ["hit", "ndcg"], "cutoffs": [1, 5], "monitor": "ndcg@5"},
    "tracking": None,
    "tune": {"space": SPACE, "trials": 8, "n_seeds": 2},
}
COLUMNS = ["trial", "state", "value", "epochs", "best_epoch", RATE, "model.embedding_dim"]


@pytest.fixture
def settings(tmp_path):
    """A search of eight trials that takes a second."""
    return copy.deepcopy(SETTINGS) | {"output": str(tmp_path / "run")}


def searched(settings, data, folder, **options):
    return recpair.tune(settings, [f"output={folder}"], data=data, **options)


@pytest.fixture(scope="module")
def searched_once(tmp_path_factory):
    """The folder of a search of the settings, without a winner."""
    from recpair.testing.models import checkerboard

    folder = tmp_path_factory.mktemp("search") / "whole"
    recpair.tune(SETTINGS, [f"output={folder}"], data=checkerboard().drop("timestamp"), n_seeds=0)
    return folder


@pytest.fixture
def whole(searched_once, tmp_path):
    """A copy of that folder."""
    return opened(Path(shutil.copytree(searched_once, tmp_path / "whole")))


def test_the_first_trial_is_the_config_as_it_is(settings, checkerboard, tmp_path, whole):
    run = recpair.fit({k: v for k, v in settings.items() if k != "tune"}, data=checkerboard)
    first = whole.trials.row(0, named=True)
    assert first[RATE] == 0.05
    assert first["model.embedding_dim"] == 8
    assert first["value"] == run.metrics["valid"]["ndcg@5"]


def test_the_best_trial_is_the_best_of_the_table_and_trains_to_its_value(whole, checkerboard, tmp_path):
    complete = whole.trials.filter(pl.col("state") == "complete")
    assert whole.best["value"] == complete["value"].max()
    assert whole.best["first"] == whole.trials["value"][0]
    config = whole.config
    assert config["output"].endswith("whole-best")
    run = recpair.fit(whole.folder / "best.yaml", [f"output={tmp_path / 'best'}"], data=checkerboard)
    assert run.metrics["valid"]["ndcg@5"] == whole.best["value"]
    assert (
        config["train"]["learning_rate"]
        == complete.sort("value", descending=True, maintain_order=True)[RATE].to_list()[0]
    )


def test_trials_are_run_folders_that_are_not_tested(whole):
    trial = recpair.load(whole.folder / "trials" / "0003")
    assert trial.metrics["test"] == {}
    assert trial.metrics["valid"]["ndcg@5"] == whole.trials["value"][3]
    assert len(trial.recommend(k=3)) > 0


def test_without_seeds_nothing_is_tested(whole):
    assert whole.test == {}
    assert not (whole.folder / "winner").exists()


def test_the_winner_is_tested_with_every_seed(settings, checkerboard, tmp_path):
    tuned = searched(settings, checkerboard, tmp_path / "tuned", trials=3)
    runs = [recpair.load(tuned.folder / f"winner/seed-{seed}") for seed in (1, 2)]
    values = [run.metrics["test"]["ndcg@5"] for run in runs]
    assert tuned.test["ndcg@5"]["mean"] == pytest.approx(sum(values) / 2)
    assert tuned.test["ndcg@5"]["sd"] == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
    assert {run.config["train"]["seed"] for run in runs} == {1, 2}
    assert all(run.config["train"]["learning_rate"] == tuned.config["train"]["learning_rate"] for run in runs)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_search_that_is_killed_many_times_equals_an_uninterrupted_one(
    settings, checkerboard, tmp_path, killed_and_resumed, pruner
):
    settings["train"]["epochs"] = 4 if pruner == "median" else 9
    whole = searched(settings, checkerboard, tmp_path / "whole", n_seeds=1, pruner=pruner)
    tuned, kills = killed_and_resumed(
        lambda: searched(settings, checkerboard, tmp_path / "killed", n_seeds=1, pruner=pruner, resume=True),
        [1, 3, 9, 14, 22, 31, 47, 10_000],
    )
    assert kills >= 5
    assert tuned.trials.select(COLUMNS).equals(whole.trials.select(COLUMNS))
    assert tuned.test == whole.test
    assert "pruned" in tuned.trials["state"].to_list()


def test_trials_at_the_same_time_equal_those_one_after_another_in_batches(settings, checkerboard, tmp_path):
    """Two processes end in any order; the same batches in this process give the same trials."""
    from recpair.run.output import Output, State
    from recpair.tuning.parts import parts_of
    from recpair.tuning.plan import load_plan
    from recpair.tuning.search import Search, Workers, workers
    from recpair.tuning.store import Store

    found = []
    for name, using in (("processes", workers(2)), ("batches", None)):
        plan = load_plan(settings, [f"output={tmp_path / name}", "tune.trials=4"])
        output = Output(tmp_path / name)
        output.plan(resume=False)
        output.start(plan.config.to_yaml(), None, State.EMPTY)
        search = Search(plan, output, Store(output.work, "search"), parts_of(plan.config, checkerboard))
        if using is None:
            search.run(Workers(jobs=2))
        else:
            with using as pool:
                search.run(pool)
        found.append([(t.params, t.value, t.intermediate_values) for t in search.finished])
    assert found[0] == found[1]


def test_resuming_a_finished_search_returns_it_and_more_trials_are_added(settings, checkerboard, tmp_path, whole):
    before = (whole.folder / "trials.csv").read_text()
    again = searched(settings, checkerboard, whole.folder, n_seeds=0, resume=True)
    assert again.trials.equals(whole.trials)
    assert (whole.folder / "trials.csv").read_text() == before
    more = searched(settings, checkerboard, whole.folder, n_seeds=0, trials=10, resume=True)
    assert len(more.trials) == 10
    assert more.trials.head(8).select(COLUMNS).equals(whole.trials.select(COLUMNS))
    assert (tmp_path / "whole.1" / "trials.csv").read_text() == before


def test_resuming_starts_a_search_where_there_is_none(settings, checkerboard, tmp_path):
    assert len(searched(settings, checkerboard, tmp_path / "new", n_seeds=0, trials=1, resume=True).trials) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tune": {"space": {RATE: [0.1, 0.2]}}}, "tune.space is"),
        ({"tune": {"space": SPACE, "sampler": "random"}}, "tune.sampler is 'random', but"),
        ({"split": {"name": "ratio"}}, "split.name is 'ratio', but"),
    ],
)
def test_another_search_is_not_resumed(settings, checkerboard, whole, changed, message):
    with pytest.raises(ConfigError) as error:
        searched(settings | changed, checkerboard, whole.folder, n_seeds=0, trials=9, resume=True)
    assert message in str(error.value)


def test_a_search_and_a_run_are_not_resumed_as_each_other(settings, checkerboard, tmp_path, whole):
    with pytest.raises(RunError, match="holds a search; continue it with recpair tune --resume"):
        recpair.fit(settings, [f"output={whole.folder}"], data=checkerboard, resume=True)
    recpair.fit(settings, [f"output={tmp_path / 'fit'}"], data=checkerboard)
    with pytest.raises(RunError, match="holds a run, not a search"):
        searched(settings, checkerboard, tmp_path / "fit", resume=True)


def test_loading_a_search_names_its_winner(settings, checkerboard, tmp_path):
    tuned = searched(settings, checkerboard, tmp_path / "tuned", trials=1, n_seeds=1)
    with pytest.raises(RunError, match=r"holds a search; open its winner, .*winner/seed-1"):
        recpair.load(tuned.folder)


def test_a_diverging_trial_is_failed_and_the_search_continues(settings, checkerboard, tmp_path):
    space = {RATE: [0.05, 1e30]}
    settings["tune"] |= {"space": space, "sampler": "grid", "trials": 2}
    tuned = searched(settings, checkerboard, tmp_path / "tuned", n_seeds=0)
    assert tuned.trials["state"].to_list() == ["complete", "fail"]
    assert "train.learning_rate" in tuned.trials["error"][1]
    assert tuned.best["trial"] == 0


def test_a_grid_visits_every_point_once(settings, checkerboard, tmp_path):
    settings["tune"] = {"space": {RATE: [0.01, 0.05], "model.embedding_dim": [4, 8]}, "sampler": "grid"}
    tuned = searched(settings, checkerboard, tmp_path / "grid", n_seeds=0)
    points = tuned.trials.select(RATE, "model.embedding_dim").rows()
    assert points[0] == (0.05, 8)
    assert sorted(points) == [(0.01, 4), (0.01, 8), (0.05, 4), (0.05, 8)]


def test_random_trials_do_not_depend_on_each_other(settings, checkerboard, tmp_path):
    """The sampler of each trial is seeded by its number, so other metrics give the same values."""
    tables = [
        searched(settings | {"loss": loss}, checkerboard, tmp_path / loss, sampler="random", pruner="none", n_seeds=0)
        for loss in ("bpr", "hinge")
    ]
    keys = [RATE, "model.embedding_dim"]
    assert tables[0].trials.select(keys).equals(tables[1].trials.select(keys))
    assert not tables[0].trials["value"].equals(tables[1].trials["value"])


def test_closed_form_models_are_searched_and_tested_once(bare, checkerboard, tmp_path):
    tuned = recpair.tune(bare | {"model": "ease"}, data=checkerboard, trials=4)
    assert tuned.trials["epochs"].to_list() == [0] * 4
    assert tuned.record["searches"]["config"]["runs"] == ["winner/seed-42"]


def test_several_configs_get_equal_budgets_and_a_paired_test(settings, bare, checkerboard, tmp_path):
    other = bare | {"model": "ease"}
    tuned = recpair.tune([settings, other], [f"output={tmp_path / 'both'}"], data=checkerboard, trials=3)
    assert tuned.trials["search"].to_list() == ["config"] * 3 + ["config-2"] * 3
    compared = pl.read_csv(tmp_path / "both" / "comparison.csv")
    assert compared["run"].to_list() == ["config", "config-2"]
    assert 0 <= compared["t_test_holm"][1] <= 1
    again = recpair.tune([settings, other], [f"output={tmp_path / 'both'}"], data=checkerboard, trials=3, resume=True)
    assert again.trials.equals(tuned.trials)
    assert again.test == tuned.test


def test_configs_with_different_tests_are_refused_before_the_first_trial(settings, bare, checkerboard, tmp_path):
    other = bare | {"model": "ease", "split": {"name": "ratio"}}
    with pytest.raises(ConfigError, match="config and config-2 have different test parts"):
        recpair.tune([settings, other], [f"output={tmp_path / 'both'}"], data=checkerboard)
    assert not (tmp_path / "both").exists()


def test_every_trial_is_a_child_of_one_tracked_run(settings, checkerboard, tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    settings |= {"tracking": {"uri": uri, "experiment": "tuning"}}
    searched(settings, checkerboard, tmp_path / "tracked", trials=2, n_seeds=1)
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("tuning").experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(runs) == 5  # the search, two trials, the winner and its seed
    assert {run.info.status for run in runs} == {"FINISHED"}
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert len(children) == 3
    assert any(name.startswith("test/ndcg") and name.endswith("_mean") for name in parents[0].data.metrics)
    client.set_terminated(parents[0].info.run_id, "RUNNING")  # as if killed before the end
    searched(settings, checkerboard, tmp_path / "tracked", trials=2, n_seeds=1, resume=True)
    assert client.get_run(parents[0].info.run_id).info.status == "FINISHED"


def test_the_journal_is_read_after_a_torn_write(settings, checkerboard, whole):
    with (whole.folder / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 4, "work')
    more = searched(settings, checkerboard, whole.folder, n_seeds=0, trials=9, resume=True)
    assert len(more.trials) == 9


def test_a_database_holds_the_trials(settings, checkerboard, tmp_path):
    import optuna

    url = f"sqlite:///{tmp_path / 'trials.db'}"
    tuned = searched(settings, checkerboard, tmp_path / "stored", trials=2, n_seeds=0, storage=url)
    study = json.loads((tuned.folder / "search.json").read_text())["study"]
    values = [trial.value for trial in optuna.load_study(study_name=study, storage=url).trials]
    assert values == tuned.trials["value"].to_list()
    with pytest.raises(RunError, match="the trials cannot be stored in nothing://"):
        searched(settings, checkerboard, tmp_path / "other", trials=2, n_seeds=0, storage="nothing://here")


def test_the_summary_names_the_best_and_the_tables(whole):
    text = (whole.folder / "SUMMARY.md").read_text()
    assert f"trial {whole.best['trial']} with {whole.best['value']:.4f}" in text
    assert "they do not read the test part" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials"),
        ({"trials": "many"}, "trials"),
        ({"jobs": 0}, "jobs is 0; expected a whole number from 1"),
        ({"timeout": -1}, "timeout is -1; expected a number of seconds above 0"),
        ({"sampler": "tp"}, "sampler"),
        ({"space": {RATE: 3}}, "tune.space.train.learning_rate is 3"),
    ],
)
def test_wrong_settings_are_refused(settings, checkerboard, tmp_path, options, message):
    with pytest.raises(RecpairError) as error:
        searched(settings, checkerboard, tmp_path / "none", **options)
    assert message in str(error.value)
    assert not (tmp_path / "none").exists()


def test_names_of_configs_are_distinct():
    assert names_of(["a/mf.yaml", "b/mf.yaml", {}, {}]) == ["mf", "mf-2", "config", "config-2"]
    with pytest.raises(ConfigError, match="config is an empty list"):
        names_of([])

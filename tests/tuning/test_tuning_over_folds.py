"""Searches and studies over rolling folds: a trial is one run per fold."""

import numpy as np
import pytest

import recpair
from recpair.run.folds import Folds


@pytest.fixture
def events(checkerboard):
    """The checkerboard in a random order of time."""
    drawn = np.random.default_rng(3).random(len(checkerboard))
    return checkerboard.drop("split").with_columns(timestamp=np.argsort(np.argsort(drawn)))


@pytest.fixture
def settings(tmp_path):
    return {
        "data": {"time_unit": "order"},
        "split": {"name": "rolling", "folds": 2, "horizon": 120},
        "model": {"name": "item_knn"},
        "evaluate": {"metrics": ["ndcg"], "cutoffs": [5], "monitor": "ndcg@5"},
        "tracking": None,
        "output": str(tmp_path / "search"),
        "tune": {"space": {"model.k": [1, 5, 20]}, "sampler": "grid", "n_seeds": 1},
    }


def test_the_value_of_a_trial_is_the_mean_over_the_folds(settings, events):
    tuned = recpair.tune(settings, data=events)
    for row in tuned.trials.iter_rows(named=True):
        runs = [recpair.load(tuned.folder / row["run"] / f"fold-{fold}") for fold in (1, 2)]
        assert row["value"] == pytest.approx(np.mean([run.metrics["valid"]["ndcg@5"] for run in runs]))
        assert all(run.metrics["test"] == {} for run in runs)
    whole = recpair.fit(
        {**settings, "model": {"name": "item_knn", "k": tuned.best["values"].get("model.k", 100)}}, data=events
    )
    assert isinstance(whole, Folds)
    assert tuned.test["ndcg@5"] == whole.summary["test"]["ndcg@5"]


def test_a_study_compares_methods_over_the_folds(settings, events, tmp_path):
    methods = {"none": [], "popular": ["model=popularity"]}
    studied = recpair.study(settings, methods=methods, trials=2, n_seeds=1, data=events)
    assert studied.results["method"].to_list() == ["none", "popular"]
    assert studied.results["trials"].to_list() == [2, 1]  # most popular has no options
    groups = Folds.open(studied.folder / "none" / "winner")
    assert len(groups.summary["folds"]) == 2

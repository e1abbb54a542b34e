"""Blends of members that are trained again on the training and the validation events."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.cli import main
from recpair.data.histories import Histories
from recpair.errors import ConfigError, RunError
from recpair.evaluation.evaluator import Evaluator
from recpair.experiment import refit
from recpair.experiment.compare import compare
from recpair.experiment.weights import Choice

NAMES = ["ease", "knn", "texts", "sasrec"]  # the runs of conftest.py


@pytest.fixture(scope="module")
def by_hand(runs, tmp_path_factory):
    """The runs, trained again with ``fit`` as a user would do it."""
    folder, made = tmp_path_factory.mktemp("again"), {}
    for name, path in runs.items():
        run = recpair.load(path)
        changed = ["evaluate.monitor=null", f"output={folder / name}"]
        if run.metrics["best_epoch"]:
            changed += [f"train.epochs={run.metrics['best_epoch']}", "train.patience=null"]
        made[name] = recpair.fit(run.config, changed)
    return made


@pytest.fixture(scope="module")
def pair(runs, tmp_path_factory):
    """A blend of all runs and the same with members trained again, with weights for two groups of users."""
    folder = tmp_path_factory.mktemp("pair")
    return [recpair.blend(list(runs.values()), folder / str(r), groups=2, refit=r) for r in (False, True)]


def names_of(run):
    return [Path(member["path"]).name for member in run.metrics["blend"]["members"]]


def test_the_weights_are_those_of_the_validation_part(pair):
    plain, again = (run.metrics["blend"] for run in pair)
    for key in ("calibration", "readings", "weights", "valid", "metric"):
        assert plain[key] == again[key]
    for before, after in zip(plain["members"], again["members"], strict=True):
        assert {**before, "test": None} == {**after, "test": None}
    assert (plain["refit"], again["refit"]) == (False, True)
    assert pair[0].metrics["valid"] == plain["valid"]
    assert pair[1].metrics["valid"] == {}
    assert pair[1].config["evaluate"]["monitor"] is None
    assert "Then each member was trained again" in (pair[1].folder / "SUMMARY.md").read_text()
    assert "trained again" not in (pair[0].folder / "SUMMARY.md").read_text()


def test_the_members_are_those_that_fit_would_train(pair, by_hand):
    record = pair[1].metrics["blend"]
    parts = {name: by_hand[name].model for name in names_of(pair[1])}
    train = by_hand["ease"].recommender.train
    assert len(pair[1].recommender.train) == len(train) > len(pair[0].recommender.train)
    for member, (name, part) in zip(pair[1].model.parts, parts.items(), strict=True):
        assert member.state_dict().keys() == part.state_dict().keys()
        for key, value in member.state_dict().items():
            assert value.equal(part.state_dict()[key]), f"{name} {key}"
    expected = Choice(record["calibration"], np.array(record["edges"]), record["weights"], 0.0).model(
        train, list(parts.values()), [by_hand[name].config["model"] for name in parts]
    )
    queries = expected.batch_of(torch.arange(train.n_users), Histories((train,)))
    assert expected.score(queries).catalogue().equal(pair[1].model.score(queries).catalogue())


def test_all_test_metrics_are_of_members_trained_again(pair, by_hand):
    record = pair[1].metrics["blend"]
    for name, member in zip(names_of(pair[1]), record["members"], strict=True):
        assert member["test"] == by_hand[name].metrics["test"]
        assert member["epochs"] == by_hand[name].metrics["epochs"]
    best = by_hand[names_of(pair[1])[0]]
    row = compare([best.folder, pair[1].folder], "ndcg@5").row(1, named=True)
    for key in ("difference", "t_test", "wilcoxon"):
        assert row[key] == record["paired"][key]
    model, popular = recpair.evaluate(recpair.load(pair[1].folder))
    assert model.means == pytest.approx(pair[1].metrics["test"])
    assert popular.means == pair[1].metrics["popularity"]


def test_the_blend_reads_the_test_part_once(runs, tmp_path, monkeypatch):
    asked, rank = [], Evaluator.rank

    def counted(evaluator, model):
        asked.append((int((np.diff(evaluator.train.indptr)).sum()), type(model).__name__))
        return rank(evaluator, model)

    monkeypatch.setattr(Evaluator, "rank", counted)
    recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend", weights=[1, 1], refit=True)
    most = max(events for events, _ in asked)
    assert sorted(name for events, name in asked if events == most and name != "Popularity") == [
        "Blend",
        "EASE",
        "ItemKNN",
    ]


@pytest.mark.parametrize("name", ["ease", "sasrec"])
def test_a_member_with_all_the_weight_is_the_run_trained_again(runs, by_hand, tmp_path, name):
    made = recpair.blend([runs[name], runs["knn"]], tmp_path / "blend", weights=[1, 0], refit=True)
    assert made.recommend(k=10).equals(by_hand[name].recommend(k=10))
    assert made.metrics["test"] == by_hand[name].metrics["test"]


def test_groups_keep_their_shares_of_the_users(pair, events):
    before, after = (np.diff(run.recommender.train.indptr) for run in pair)
    edges = [run.metrics["blend"]["edges"] for run in pair]
    assert len(edges[0]) == 1
    assert (after - before == 1).all()  # each user has a validation event
    assert edges[1] == [edges[0][0] + 1]


def test_an_interrupted_refit_continues(runs, tmp_path, monkeypatch):
    members, trained = [runs["ease"], runs["sasrec"], runs["knn"]], []
    fit_into = refit.fit_into

    def counted(output, config, **given):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(config["model"]["name"])
        return fit_into(output, config, **given)

    out = tmp_path / "blend"
    with monkeypatch.context() as patched:
        patched.setattr(refit, "fit_into", counted)
        with pytest.raises(KeyboardInterrupt):
            recpair.blend(members, out, weights=[1, 1, 1], refit=True)
    assert not out.exists()
    kept = sorted(path.name for path in (tmp_path / ".blend.refit").iterdir() if path.is_dir())
    assert [name.partition("-")[0] for name in kept] == sorted(trained)
    ids = [recpair.load(tmp_path / ".blend.refit" / name).files.manifest.id for name in kept]

    seen = []

    def watched(output, config, **given):
        run = fit_into(output, config, **given)
        seen.append(run.files.manifest.id)
        return run

    monkeypatch.setattr(refit, "fit_into", watched)
    made = recpair.blend(members, out, weights=[1, 1, 1], refit=True)
    assert set(ids) < set(seen)
    assert not (tmp_path / ".blend.refit").exists()
    direct = recpair.blend(members, tmp_path / "direct", weights=[1, 1, 1], refit=True)
    assert made.recommend(k=10).equals(direct.recommend(k=10))


def test_other_settings_are_not_continued(runs, shared, tmp_path, monkeypatch):
    """Members of an interrupted refit are used only for the same config and data."""
    with monkeypatch.context() as patched:
        patched.setattr("recpair.experiment.blend._write", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend", weights=[1, 0], refit=True)
    assert (tmp_path / ".blend.refit").is_dir()
    other = recpair.fit(shared | {"model": {"name": "ease", "ridge": 500}, "output": str(tmp_path / "other")})
    alone = recpair.fit(other.config, ["evaluate.monitor=null", f"output={tmp_path / 'alone'}"])
    made = recpair.blend([other, runs["knn"]], tmp_path / "blend", weights=[1, 0], refit=True)
    assert made.recommend(k=10).equals(alone.recommend(k=10))


def test_events_and_texts_in_memory(events, tmp_path):
    items = pl.DataFrame({"item_id": range(40), "title": [f"kind {'abcd'[i % 4]} film {i}" for i in range(40)]})
    config = {"split": "predefined", "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"}, "tracking": None}
    texts = {"model": "transitions", "semantics": {"name": "tfidf", "template": "{title}"}}
    both = [
        recpair.fit(config | sections | {"output": str(tmp_path / name)}, data=events, items=items)
        for name, sections in (("ease", {"model": "ease"}), ("texts", texts))
    ]
    made = recpair.blend(both, tmp_path / "blend", weights=[0, 1], refit=True, data=events)
    alone = recpair.fit(
        both[1].config, ["evaluate.monitor=null", f"output={tmp_path / 'alone'}"], data=events, items=items
    )
    assert made.recommend(k=5, titles=True).equals(alone.recommend(k=5, titles=True))


def test_stored_texts_are_read_beside_the_run(runs, tmp_path):
    folder = refit.refit_config(recpair.load(runs["texts"]))["semantics"]["folder"]
    assert folder == str(runs["texts"].parent / ".semantics")
    moved = recpair.load(shutil.copytree(runs["texts"], tmp_path / "texts"))
    assert refit.refit_config(moved)["semantics"]["folder"] is None


def test_runs_that_cannot_be_trained_again(runs, pair, shared, tmp_path, monkeypatch):
    with pytest.raises(RunError, match=r"False is a blend, which is not trained; to refit, blend its members"):
        recpair.blend([runs["ease"], pair[0]], tmp_path / "blend", refit=True)
    with pytest.raises(RunError, match=r"True was trained on the validation events \(evaluate.monitor: null\)"):
        recpair.blend([runs["ease"], pair[1]], tmp_path / "blend")
    (tmp_path / "own.py").write_text(
        "from recpair.losses.bpr import bpr\ndef mine(pos, neg) -> bpr.__annotations__['return']:\n"
        "    return bpr(pos, neg)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    mf = {"model": {"name": "mf", "embedding_dim": 4}, "loss": "own:mine", "train": {"epochs": 1}}
    own = recpair.fit(shared | mf | {"output": str(tmp_path / "mf")})
    from recpair.losses import LOSSES

    del LOSSES["own:mine"]
    with pytest.raises(ConfigError, match=r"own:mine.*--plugins own"):
        recpair.blend([runs["ease"], tmp_path / "mf"], tmp_path / "blend", refit=True)
    assert not (tmp_path / "blend").exists()
    assert own.folder.exists()
    recpair.blend([runs["ease"], tmp_path / "mf"], tmp_path / "blend", refit=True, weights=[1, 1], plugins=["own"])
    del LOSSES["own:mine"]


def test_the_command(runs, tmp_path, capsys):
    out = tmp_path / "blend"
    assert main(["blend", str(runs["ease"]), str(runs["knn"]), "--out", str(out), "--refit"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "the best member on the validation part, trained again" in printed
    assert recpair.load(out).metrics["blend"]["refit"] is True

"""recpair refit: training on new data, the comparison with the earlier run, and the decision."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.cli import main
from recpair.data.histories import Histories
from recpair.errors import ConfigError, RunError
from recpair.experiment.earlier import Earlier
from recpair.experiment.loading import load_stored
from recpair.experiment.prepare import prepare
from recpair.experiment.track import track
from recpair.models.realigned import Realigned
from recpair.training.log import MultiLog

USERS, ITEMS = 60, 30


def log_of(first: int, last: int) -> pl.DataFrame:
    """Events in order of time: users prefer a third of the items; later half of them another third, and ids are new."""
    generator = np.random.default_rng(5)
    user, new = generator.integers(USERS, size=3000), np.arange(3000) >= 1500
    item = (3 * generator.integers(ITEMS // 3, size=3000) + user + (new & (user % 2 == 1))) % ITEMS
    user, item = np.where(new & (user % 10 == 0), user + 100, user), np.where(new & (item % 10 == 0), item + 100, item)
    frame = pl.DataFrame({"user_id": user, "item_id": item, "timestamp": np.arange(3000)})
    return frame.with_columns(pl.format("u{}", "user_id"), pl.format("i{}", "item_id"))[first:last]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recpair.run.report.RunReport._draw", lambda *args, **kwargs: None)
    log_of(0, 1500).write_csv("may.csv")
    log_of(0, 3000).write_csv("june.csv")
    return tmp_path


@pytest.fixture
def config():
    return {
        "data": {"path": "may.csv"},
        "split": {"name": "temporal"},
        "filter": {"deduplicate": "keep"},
        "model": {"name": "mf", "embedding_dim": 8},
        "train": {"epochs": 6, "learning_rate": 0.05, "seed": 1},
        "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [5], "monitor": "ndcg@5", "mask_seen": False},
        "tracking": None,
        "output": "runs/live",
    }


def of(config, model, **options):
    return {name: section for name, section in config.items() if name != "train"} | {
        "model": {"name": model, **options}
    }


def test_a_refit_is_compared_promoted_and_keeps_the_earlier_run(here, config):
    live = recpair.fit(config)
    before = {path.name: path.read_bytes() for path in live.folder.iterdir() if path.is_file()}
    run = recpair.refit("runs/live", ["data.path=june.csv"])
    record = run.metrics["refit"]
    assert run.folder.as_posix().endswith("runs/live-refit")
    assert record["promote"]
    assert record["earlier"]["id"] == live.files.manifest.id
    assert record["warm_start"]["tables"] == ["user_embedding.weight", "item_embedding.weight"]
    known, new, everyone = record["groups"]
    trained = set(live.recommender.train.to_polars()["user_id"])
    assert known["users"] == sum(user in trained for user in run.per_user["user_id"])
    assert known["users"] + new["users"] == everyone["users"] == len(run.per_user)
    assert everyone["earlier"] < everyone["refitted"]
    assert {path.name: path.read_bytes() for path in live.folder.iterdir() if path.is_file()} == before
    text = (run.folder / "SUMMARY.md").read_text()
    assert "Refit of" in text
    assert "promote: the 95 % interval" in text


def test_the_means_are_those_of_the_test(here, config):
    """No event of the later test has trained the earlier run, so the values of each user are those of the run's test."""
    live = recpair.fit(config)
    run = recpair.refit("runs/live", ["data.path=june.csv"], metric="recall@5")
    record = run.metrics["refit"]
    assert record["leaked_events"] == 0
    known = run.per_user["user_id"].is_in(live.recommender.train.to_polars()["user_id"].implode())
    for group, mask in zip(record["groups"], (known, ~known, known | ~known), strict=True):
        assert group["refitted"] == pytest.approx(run.per_user["recall@5"].filter(mask).mean())
        assert group["difference"] == pytest.approx(group["refitted"] - group["earlier"])


def test_the_exit_code_is_the_decision(here, config, capsys):
    recpair.fit(config)
    bad = ["--cold", "train.epochs=1", "train.learning_rate=0.000001", "model.init=normal"]
    assert main(["refit", "runs/live", "data.path=june.csv", "--out", "runs/bad", *bad]) == 3
    assert "do not promote: the 95 % interval" in capsys.readouterr().out
    assert recpair.load("runs/bad").metrics["refit"]["warm_start"] is None
    assert main(["refit", "runs/live", "data.path=june.csv", "--margin", "0.2"]) == 0
    printed = capsys.readouterr().out
    assert "the margin of 20.0% of the earlier run's" in printed
    assert "do not promote" not in printed


def test_the_margin_decides(here, config):
    """The same data and model, fitted again: no difference, so any margin above 0 promotes, and 0 does not."""
    recpair.fit(of(config, "item_knn"))
    runs = [recpair.refit("runs/live", margin=margin, out=f"runs/{margin}") for margin in (0.01, 0)]
    assert [run.metrics["refit"]["promote"] for run in runs] == [True, False]
    for run in runs:
        (group, *_) = run.metrics["refit"]["groups"]
        assert group["difference"] == group["low"] == group["high"] == 0


def test_events_that_trained_the_earlier_run_are_left_out(here, config):
    split = config | {"split": {"name": "ratio", "seed": 1}, "filter": {"deduplicate": "first"}}
    live = recpair.fit(of(split, "item_knn"))
    changed = load_stored(live.config, ["split.seed=2"])
    splits = prepare(changed)
    mask = Earlier(live, "ndcg@5", 0.05).leaked(splits.test)
    trained = set(live.recommender.train.to_polars().select("user_id", "item_id").rows())
    assert mask.tolist() == [row in trained for row in splits.test.to_polars().select("user_id", "item_id").rows()]
    record = recpair.refit(live, ["split.seed=2"]).metrics["refit"]
    assert record["leaked_events"] == mask.sum() > 0
    assert record["test_events"] == len(mask)


def test_a_repeated_event_at_another_time_is_not_leakage(here, config):
    live = recpair.fit(of(config, "item_knn"))
    splits = prepare(load_stored(live.config, ["data.path=june.csv"]))
    earlier = Earlier(live, "ndcg@5", 0.05)
    trained = set(live.recommender.train.to_polars().select("user_id", "item_id").rows())
    pairs = [row in trained for row in splits.test.to_polars().select("user_id", "item_id").rows()]
    assert any(pairs)
    assert not earlier.leaked(splits.test).any()
    assert earlier.leaked(splits.train).sum() == len(live.recommender.train)  # the same events
    other_unit = replace(splits.test, time=splits.test.time * 1000)
    without = replace(splits.test, time=None)
    assert earlier.leaked(other_unit).tolist() == earlier.leaked(without).tolist() == pairs


def test_a_test_part_that_trained_the_earlier_run_is_refused(here, config):
    live = recpair.fit(of(config, "item_knn"))
    trained = live.recommender.train.to_polars().unique(["user_id", "item_id"])
    part = pl.when(pl.int_range(pl.len()).over("user_id") == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    data = trained.with_columns(split=part)
    with pytest.raises(RunError, match=r"(\d+) of \1 test events are among the training events"):
        recpair.refit(live, ["split=predefined"], data=data)
    assert not (here / "runs/live-refit").exists()


@pytest.mark.parametrize("name", ["mf", "ease", "transitions", "popularity"])
def test_the_earlier_model_scores_the_new_catalogue_by_external_ids(here, config, name):
    sections = config if name == "mf" else of(config, name)
    live = recpair.fit(sections)
    splits = prepare(load_stored(live.config, ["data.path=june.csv"]))
    ids = Earlier(live, "ndcg@5", 0.05).alignment(splits.train)
    model = Realigned(live.model, live.recommender.train, ids.users, ids.items, splits.train)
    users = np.flatnonzero(np.diff(splits.train.indptr))
    histories = Histories((splits.train, splits.valid), splits.test)
    scores = model.score(model.batch_of(torch.from_numpy(users), histories)).catalogue().numpy()
    old, now = live.recommender.train.vocabulary, splits.vocabulary
    item_of = {item: place for place, item in enumerate(old.items.values)}
    read = histories.events if name == "transitions" else splits.train
    history_of = dict(read.to_polars().group_by("user_id", maintain_order=True).agg("item_id").iter_rows())
    for row, user in enumerate(now.users.of(users)):
        known = [item_of[item] for item in history_of.get(user, []) if item in item_of]
        if name != "transitions" and user in set(old.users.values):
            batch = live.model.batch_of(
                torch.tensor(old.users.indices([user])).long(), Histories((live.recommender.train,))
            )
            expected = live.model.score(batch).catalogue()[0].detach().numpy()
        elif not known:
            expected = live.recommender.train.item_counts
        else:
            expected = live.model.fold_in([np.array(known)]).catalogue()[0].detach().numpy()
        for place, item in enumerate(now.items.values):
            wanted = expected[item_of[item]] if item in item_of else -np.inf
            np.testing.assert_allclose(scores[row, place], wanted, rtol=1e-4, atol=1e-5)


def test_an_interrupted_refit_is_resumed_with_the_same_weights(here, config):
    recpair.fit(config)
    whole = recpair.refit("runs/live", ["data.path=june.csv", "train.checkpoint_every=1"], out="runs/whole")

    class Stop(MultiLog):
        def epoch(self, number, values):
            if number == 3:
                raise KeyboardInterrupt

    given = {"overrides": ["data.path=june.csv", "train.checkpoint_every=1"], "out": "runs/next"}
    with pytest.raises(KeyboardInterrupt):
        recpair.refit("runs/live", **given, log=Stop([]))
    again = recpair.refit("runs/live", **given, resume=True)
    assert torch.equal(again.model.item_embedding.weight, whole.model.item_embedding.weight)
    assert again.metrics["refit"]["groups"] == whole.metrics["refit"]["groups"]
    assert recpair.refit("runs/live", **given, resume=True).files.manifest.id == again.files.manifest.id
    other = recpair.fit(config | {"output": "runs/other"})
    with pytest.raises(RunError, match="not a refit of runs/other"):
        recpair.refit(other, **given, resume=True)


def test_the_tracked_run_names_the_earlier_one(here, config, monkeypatch):
    live = recpair.fit(of(config, "popularity"))
    tags, finals = [], []
    tracker = "recpair.tracking.mlflow_tracker.MlflowTracker"
    monkeypatch.setattr(f"{tracker}.start", lambda self, name, params, given, *rest: tags.append(given))
    monkeypatch.setattr(f"{tracker}.finish", lambda self, folder, metrics, *rest: finals.append(metrics))
    recpair.refit(live, ["data.path=june.csv", "tracking.uri=sqlite:///store.db"])
    assert tags[0]["refit_of"] == live.files.manifest.id
    assert {"refit/promote", "refit/difference", "refit/earlier", "refit/refitted"} <= set(finals[0])
    # A later upload has the tags too.
    track(recpair.load("runs/live-refit"), uri="sqlite:///store.db")
    assert tags[-1]["refit_of"] == live.files.manifest.id


@pytest.mark.parametrize(
    ("overrides", "given", "message"),
    [
        ([], {"out": "runs/live"}, "is the earlier run"),
        (["split=whole", "evaluate.monitor=null"], {}, "no test part"),
        ([], {"margin": -1}, "margin is -1"),
        ([], {"margin": True}, "margin is True"),
        ([], {"metric": "ndgc@5"}, "did you mean ndcg"),
        ([], {"metric": "coverage@5"}, "no values per user"),
        ([], {"metric": "ndcg@500"}, "500 is larger than the catalogue"),
        (["data.path=july.csv"], {}, "july.csv does not exist"),
        (["modl.name=mf"], {}, "modl"),
    ],
)
def test_wrong_arguments_are_errors_and_train_nothing(here, config, overrides, given, message):
    live = recpair.fit(of(config, "popularity"))
    with pytest.raises(recpair.RecpairError, match=message):
        recpair.refit(live, overrides, **given)
    assert [path.name for path in (here / "runs").iterdir() if not path.name.startswith(".")] == ["live"]


@pytest.mark.parametrize(
    ("section", "values", "variable"),
    [
        ("tracking", {"uri": "http://elsewhere.example"}, "MLFLOW_TRACKING_TOKEN"),
        (
            "semantics",
            {"name": "openai", "model": "m", "base_url": "http://elsewhere.example", "key_variable": "A_KEY"},
            "A_KEY",
        ),
    ],
)
def test_a_server_of_an_untrusted_run_gets_no_credentials(here, config, monkeypatch, section, values, variable):
    live = recpair.fit(of(config, "popularity"))
    untrusted = replace(live, config=live.config | {section: values})
    monkeypatch.setenv(variable, "secret")
    with pytest.raises(ConfigError, match=rf"\${variable} would be sent.*confirm it with {section}"):
        recpair.refit(untrusted)
    assert recpair.refit(untrusted, [f"{section}=null"]).metrics["refit"]


def test_another_model_starts_cold(here, config, caplog):
    recpair.fit(config)
    with caplog.at_level("INFO", logger="recpair"):
        run = recpair.refit("runs/live", ["data.path=june.csv", "model=lightgcn", "train.epochs=1"])
    assert "starts without earlier weights" in caplog.text
    assert run.metrics["refit"]["warm_start"] is None

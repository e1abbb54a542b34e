"""Blends as runs: made of finished runs, loaded without them, used like any other run."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import recpair
from recpair.cli import main
from recpair.errors import ConfigError, RunError
from recpair.evaluation.evaluator import Evaluator
from recpair.experiment.compare import compare
from recpair.experiment.track import track
from recpair.models import MODELS as registry

NAMES = ["ease", "knn", "texts", "sasrec"]  # the runs of conftest.py


@pytest.fixture(scope="module")
def blended(runs, tmp_path_factory):
    return recpair.blend(list(runs.values()), tmp_path_factory.mktemp("blended") / "blend", groups=2)


def weights_by_member(run):
    record = run.metrics["blend"]
    names = [Path(member["path"]).name for member in record["members"]]
    return {name: [row[place] for row in record["weights"]] for place, name in enumerate(names)}


def test_a_blend_names_its_members_and_how_it_was_chosen(blended, runs):
    record = blended.metrics["blend"]
    assert record["metric"] == "ndcg@5"
    assert record["readings"] > 0
    assert {member["path"] for member in record["members"]} == set(map(str, runs.values()))
    for member in record["members"]:
        run = recpair.load(member["path"])
        assert member["id"] == run.files.manifest.id
        assert [member["weights_sha256"]] == run.files.manifest.files["model.safetensors"]
        assert member["test"] == run.metrics["test"]
        assert member["valid"]["ndcg@5"] == pytest.approx(run.metrics["valid"]["ndcg@5"])
    values = [member["valid"]["ndcg@5"] for member in record["members"]]
    assert values == sorted(values, reverse=True)
    assert blended.metrics["valid"]["ndcg@5"] >= values[0]
    assert np.sum(record["weights"], axis=1) == pytest.approx([1, 1])
    assert [member["name"] for member in blended.config["model"]["members"]] == [m["model"] for m in record["members"]]
    summary = (blended.folder / "SUMMARY.md").read_text()
    assert "readings of the validation part" in summary
    assert "paired t-test p = " in summary
    assert summary.startswith("# blend · ")


def test_the_paired_test_is_that_of_compare(blended):
    record = blended.metrics["blend"]
    row = compare([Path(record["members"][0]["path"]), blended.folder], "ndcg@5").row(1, named=True)
    assert {name: row[name] for name in ("difference", "t_test", "wilcoxon")} == {
        name: record["paired"][name] for name in ("difference", "t_test", "wilcoxon")
    }
    assert row["difference_low"] == record["paired"]["low"]


def test_a_blend_is_loaded_without_the_folders_of_its_members(runs, blended, tmp_path):
    copies = {name: Path(shutil.copytree(folder, tmp_path / name)) for name, folder in runs.items()}
    made = recpair.blend(list(copies.values()), tmp_path / "blend", groups=2)
    for copy in copies.values():
        shutil.rmtree(copy)
    again = recpair.load(tmp_path / "blend")
    assert again.recommend(k=5).equals(made.recommend(k=5))
    assert again.recommend(k=5).equals(blended.recommend(k=5))
    assert again.recommend(["u3"], k=3, titles=True)["title"][0].startswith("kind ")
    model, popular = recpair.evaluate(again)
    assert model.means == pytest.approx(again.metrics["test"])
    assert popular.means == again.metrics["popularity"]


def test_unknown_users_have_the_group_of_their_history(blended):
    frame = blended.recommend(histories=[[0, 4], [1, 5, 9, 13, 17, 21, 25, 29]], k=4)
    assert frame["user_id"].to_list() == [0] * 4 + [1] * 4
    popular = blended.recommend(["nobody"], k=2, on_unknown="popular")
    assert popular["fallback"].to_list() == [True, True]


def test_the_order_of_the_runs_does_not_matter(runs, blended, tmp_path):
    other = recpair.blend([runs[name] for name in ("sasrec", "texts", "knn", "ease")], tmp_path / "blend", groups=2)
    assert weights_by_member(other) == weights_by_member(blended)
    assert other.metrics["test"] == blended.metrics["test"]
    assert other.recommend(k=10).equals(blended.recommend(k=10))
    assert (other.folder / "model.safetensors").read_bytes() == (blended.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("calibration", ["z_score", "rank", "log_softmax"])
def test_a_run_with_all_the_weight_has_its_ranking(runs, tmp_path, name, calibration):
    other = "knn" if name == "ease" else "ease"
    made = recpair.blend([runs[name], runs[other]], tmp_path / "blend", weights=[2, 0], calibration=calibration)
    alone = recpair.load(runs[name])
    assert made.recommend(k=20).equals(alone.recommend(k=20))
    assert made.metrics["test"] == alone.metrics["test"]
    assert made.metrics["blend"]["readings"] == 0
    assert weights_by_member(made) == {name: [1.0], other: [0.0]}


def test_the_test_part_is_read_once(runs, tmp_path, monkeypatch):
    asked = []
    rank = Evaluator.rank

    def counted(evaluator, model):
        asked.append((len(evaluator.histories.parts), type(model).__name__))
        return rank(evaluator, model)

    monkeypatch.setattr(Evaluator, "rank", counted)
    recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend")
    assert [name for parts, name in asked if parts == 2] == ["Blend", "Popularity"]


def test_weights_in_the_order_of_the_runs(runs, tmp_path):
    made = recpair.blend([runs["knn"], runs["ease"]], tmp_path / "blend", weights=[1, 3], metric="hit@1")
    assert weights_by_member(made) == {"knn": [0.25], "ease": [0.75]}
    assert made.metrics["blend"]["metric"] == made.config["evaluate"]["monitor"] == "hit@1"
    assert made.metrics["blend"]["readings"] == 3  # one for each calibration


def test_a_blend_of_a_blend(runs, blended, tmp_path):
    made = recpair.blend([blended.folder, runs["knn"]], tmp_path / "outer", weights=[1, 0])
    again = recpair.load(made.folder)
    assert again.recommend(k=5).equals(blended.recommend(k=5))
    assert again.config["model"]["members"][0]["name"] in ("blend", "item_knn")


def test_what_a_blend_does_not_have(blended):
    with pytest.raises(RunError, match="Blend has no item vectors and no item–item weights"):
        blended.similar_items([3])
    with pytest.raises(RunError, match=r"has no audit\.parquet"):
        blended.audit()
    assert len(blended.history) == 0
    assert "blend · " in blended._repr_html_()


def test_a_blend_is_not_fitted(blended):
    with pytest.raises(ConfigError, match="use recpair blend RUN RUN --out RUN"):
        recpair.fit(blended.config)
    with pytest.raises(ConfigError, match="use recpair blend RUN RUN --out RUN"):
        recpair.fit({"model": "blend", "tracking": None, "output": "never"})


def test_an_earlier_run_is_kept(runs, tmp_path):
    pair = [runs["ease"], runs["knn"]]
    first, second = (recpair.blend(pair, tmp_path / "blend", weights=w, calibration="rank") for w in ([1, 2], [2, 1]))
    assert recpair.load(tmp_path / "blend").files.manifest.id == second.files.manifest.id
    assert recpair.load(tmp_path / "blend.1").files.manifest.id == first.files.manifest.id


def test_an_interrupted_blend_leaves_the_earlier_run(runs, tmp_path, monkeypatch):
    pair = [runs["ease"], runs["knn"]]
    first = recpair.blend(pair, tmp_path / "blend", weights=[1, 2])

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("recpair.run.report.RunReport.write", killed)
        with pytest.raises(KeyboardInterrupt):
            recpair.blend(pair, tmp_path / "blend", weights=[2, 1])
    assert recpair.load(tmp_path / "blend").files.manifest.id == first.files.manifest.id
    recpair.blend(pair, tmp_path / "blend", weights=[2, 1])
    assert not (tmp_path / "blend.partial").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluate.monitor=null"], r"other was trained on the validation events \(evaluate.monitor: null\)"),
        (["split.valid=test", "split.test=valid"], r"has split.valid: 'valid', .*other has split.valid: 'test'"),
        (["filter.user_core=9"], r"has filter.user_core: 1, .*other has filter.user_core: 9"),
        (["noise.ratio=0.2"], r"has noise.*: .*other has noise"),
        (["evaluate.mask_seen=false"], r"was measured with evaluate.mask_seen: "),
        (["evaluate.monitor=hit@5"], r"the runs have evaluate.monitor ndcg@5 and hit@5; name the metric"),
    ],
)
def test_runs_that_cannot_be_blended(runs, shared, tmp_path, overrides, message):
    config = shared | {"model": "popularity", "output": str(tmp_path / "other")}
    recpair.fit(config, overrides)
    with pytest.raises(recpair.RecpairError, match=message):
        recpair.blend([runs["ease"], tmp_path / "other"], tmp_path / "blend")
    assert not (tmp_path / "blend").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "ndgc@5"}, "metric: unknown metric 'ndgc'; did you mean ndcg"),
        ({"metric": "ndcg"}, "metric is 'ndcg'; expected a metric and a cut-off"),
        ({"metric": "coverage@5"}, "metric is coverage@5, which has no values per user"),
        ({"metric": "ndcg@7"}, "ease has no metric 'ndcg@7' per user"),
        ({"calibration": "sigmoid"}, "calibration is 'sigmoid'; expected one of auto, z_score, rank, log_softmax"),
        ({"groups": 0}, "groups is 0; expected a number from 1 to 100"),
        ({"weights": [1, 2], "groups": 2}, "weights are the same for all users, but groups is 2"),
        ({"weights": [1]}, r"weights is \[1\]; expected a number from 0 for each of the 2 runs"),
        ({"weights": [0, 0]}, r"weights is \[0, 0\]; expected"),
        ({"weights": [1, float("nan")]}, "weights is .*; expected"),
    ],
)
def test_arguments_that_cannot_be_used(runs, tmp_path, arguments, message):
    with pytest.raises(recpair.RecpairError, match=message):
        recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend", **arguments)


def test_folders_that_cannot_be_blended(runs, tmp_path):
    pair = [runs["ease"], runs["knn"]]
    for given, out, message in [
        (pair[:1], tmp_path / "blend", "expected at least two runs to blend"),
        (str(pair[0]), tmp_path / "blend", "expected a list of at least two runs"),
        ([*pair, pair[0]], tmp_path / "blend", "ease is given twice"),
        (pair, runs["knn"], "knn is one of the runs to blend; choose another output"),
        ([pair[0], tmp_path / "none"], tmp_path / "blend", "none does not exist"),
    ]:
        with pytest.raises(RunError, match=message):
            recpair.blend(given, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="exists and is not a run folder"):
        recpair.blend(pair, tmp_path / "mine")


def test_changed_data_is_refused(runs, events, tmp_path):
    with pytest.raises(RunError, match="or its split, differs from that of"):
        recpair.blend([runs["ease"], runs["knn"]], tmp_path / "blend", data=events.head(300))


def test_runs_on_events_in_memory(events, tmp_path):
    config = {"split": "predefined", "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"}, "tracking": None}
    pair = [
        recpair.fit(config | {"model": name, "output": str(tmp_path / name)}, data=events)
        for name in ("ease", "item_knn")
    ]
    made = recpair.blend(pair, tmp_path / "blend", data=events)
    assert made.metrics["data"]["fingerprint"] == pair[0].metrics["data"]["fingerprint"]


def test_a_blend_is_exported_and_tracked(blended, tmp_path):
    from mlflow import MlflowClient

    names = {path.name for path in recpair.export(blended, tmp_path / "events")}
    assert "events.train.inter" in names
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    copy = recpair.load(shutil.copytree(blended.folder, tmp_path / "copy"))
    run = MlflowClient(uri).get_run(track(copy, uri=uri))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/ndcg_at_5"] == pytest.approx(blended.metrics["test"]["ndcg@5"])


def test_a_member_from_outside_is_named_to_load_the_blend(runs, shared, tmp_path, monkeypatch):
    """A run folder does not import the module of a member that the caller has not named."""
    (tmp_path / "mine.py").write_text(
        "from recpair.models.popularity import Popularity\nclass Mine(Popularity):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    config = shared | {"model": "mine:Mine", "output": str(tmp_path / "own")}
    own = recpair.fit(config)
    made = recpair.blend([runs["ease"], own], tmp_path / "blend", weights=[1, 1])
    assert recpair.load(tmp_path / "blend", plugins=["mine"]).recommend(k=3).equals(made.recommend(k=3))
    del registry["mine:Mine"], sys.modules["mine"]
    with pytest.raises(
        RunError, match=r"a component outside recpair; if you trust module mine, name it with --plugins"
    ):
        recpair.load(tmp_path / "blend")
    assert "mine" not in sys.modules
    assert len(recpair.load(tmp_path / "blend", plugins=["mine"]).recommend(k=3))
    del registry["mine:Mine"], sys.modules["mine"]


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model["members"].pop(),
        lambda model: model.update(members=[]),
        lambda model: model.update(members=3),
        lambda model: model["members"].__setitem__(0, {"name": "nothing"}),
        lambda model: model["members"].__setitem__(0, {"name": "ease", "ridge": -1}),
        lambda model: model.update(groups=5),
        lambda model: model.update(calibration="none"),
    ],
)
def test_damaged_configs_are_refused(blended, tmp_path, change):
    folder = shutil.copytree(blended.folder, tmp_path / "copy")
    (folder / "manifest.json").unlink()
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(config["model"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(RunError, match="copy"):
        recpair.load(folder)


def test_the_command(runs, tmp_path, capsys):
    folders, out = [str(runs[name]) for name in ("ease", "knn", "texts")], tmp_path / "blend"
    assert (
        main(["blend", *folders, "--out", str(out), "--metric", "ndcg@5", "--groups", "2", "--calibration", "rank"])
        == 0
    )
    printed = capsys.readouterr().out
    for part in (
        "Blend by validation ndcg@5, ",
        "paired t-test p = ",
        str(out),
    ):
        assert part in printed
    assert json.loads((out / "metrics.json").read_text())["blend"]["calibration"] == "rank"
    assert main(["recommend", str(out), "--all", "--k", "2", "--out", str(tmp_path / "recs.csv")]) == 0
    assert main(["evaluate", str(out), "evaluate.cutoffs=[2]"]) == 0
    assert "ndcg@2" in capsys.readouterr().out
    assert main(["blend", *folders, "--out", str(out), "--weights", "2,1,0"]) == 0
    assert main(["blend", *folders, "--out", str(out), "--weights", "2;1"]) == 2
    assert "expected numbers such as 2,1,1" in capsys.readouterr().err
    assert main(["blend", folders[0], "--out", str(out)]) == 2
    assert "expected at least two runs" in capsys.readouterr().err

"""What MLflow is told, and what happens when it is away."""

import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_metric_name

import recpair
from recpair.cli import main
from recpair.errors import RunError
from recpair.experiment.loading import load_config
from recpair.experiment.seeds import fit_seeds
from recpair.experiment.track import track, tracking_page
from recpair.tracking import store as stores
from recpair.tracking.mlflow_tracker import metric_key

pytestmark = pytest.mark.filterwarnings("default")  # mlflow's own dependencies warn


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def tracked(checkerboard, quick, store):
    quick["tracking"] = {"experiment": "boards", "uri": store}
    return recpair.fit(quick, ["denoise=pld", "denoise.start_epoch=1"], data=checkerboard)


def test_names_of_metrics():
    assert metric_key("valid/ndcg@10") == "valid/ndcg_at_10"
    assert metric_key("train/loss") == "train/loss"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/."), min_size=1))
def test_any_name_becomes_one_that_mlflow_takes(name):
    _validate_metric_name("m/" + metric_key(name))


def test_a_run_is_told_whole(tracked, store):
    client = MlflowClient(store)
    told = client.get_run(tracked.metrics["mlflow_run_id"])
    assert told.info.status == "FINISHED"
    assert told.info.run_name == "mf-bpr-pld (run)"
    assert client.get_experiment(told.info.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"
    note = told.data.tags["mlflow.note.content"]
    assert note.startswith("# mf · bpr · pld on ")
    assert "| ndcg@5 |" in note
    assert "![" not in note
    assert client.get_experiment(told.info.experiment_id).name == "boards"
    assert told.data.params["model.embedding_dim"] == "8"
    assert told.data.params["denoise.temperature"] == "0.1"
    assert told.data.params["noise"] == "null"
    assert "version.torch" in told.data.tags
    for name, value in tracked.metrics["test"].items():
        assert told.data.metrics[metric_key(f"test/{name}")] == value
    losses = client.get_metric_history(told.info.run_id, "train/loss")
    expected = tracked.history.filter(pl.col("metric") == "train/loss")
    assert [(m.step, m.value) for m in losses] == list(zip(expected["epoch"], expected["value"], strict=True))
    assert "train/pool_entropy" in told.data.metrics
    data = told.inputs.dataset_inputs[0].dataset
    assert data.digest == tracked.metrics["data"]["fingerprint"]
    assert '"train_events": 720' in data.profile
    artifacts = {entry.path for entry in client.list_artifacts(told.info.run_id, "run")}
    assert {"run/model.safetensors", "run/plots", "run/config.yaml", "run/metrics.json"} <= artifacts
    assert "run/checkpoint" not in artifacts


def test_the_process_wide_state_of_mlflow_stays(checkerboard, quick, store, tmp_path):
    before = mlflow.get_tracking_uri()
    quick["tracking"] = {"uri": f"sqlite:///{tmp_path / 'other.db'}"}
    recpair.fit(quick, data=checkerboard)
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before


def test_a_run_is_loaded_by_its_mlflow_id(tracked, store):
    loaded = recpair.load(tracked.metrics["mlflow_run_id"])  # the default store of this folder
    assert loaded.recommend(k=2).equals(tracked.recommend(k=2))
    with pytest.raises(RunError, match="has no run folder"):
        recpair.load("0" * 32)


def test_an_unreachable_server_is_said_once_and_the_run_goes_on(checkerboard, quick, store, caplog, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"  # bound, but nobody listens
        quick["tracking"] = {"uri": nowhere}
        run = recpair.fit(quick, data=checkerboard)
    warnings = [r.getMessage() for r in caplog.records if r.name == "recpair" and r.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "recpair track RUN" in warnings[0]
    assert run.metrics["mlflow_run_id"] is None

    assert main(["track", str(run.folder), "--uri", store]) == 0
    assert "tracked as MLflow run" in capsys.readouterr().out
    later = recpair.load(run.folder)
    told = MlflowClient(store).get_run(later.metrics["mlflow_run_id"])
    assert told.data.metrics[metric_key("test/ndcg@5")] == run.metrics["test"]["ndcg@5"]
    assert told.data.metrics["train/loss"] == run.history.filter(pl.col("metric") == "train/loss")["value"][-1]


def test_a_store_that_breaks_down_in_the_middle(checkerboard, quick, store, monkeypatch, caplog):
    quick["tracking"] = {"uri": store}
    epochs = []

    def failing(self, *args, **kwargs):
        epochs.append(args)
        raise OSError("disk gone")

    monkeypatch.setattr("recpair.tracking.mlflow_tracker._log_metrics", failing)
    run = recpair.fit(quick, data=checkerboard)
    assert len(epochs) == 1
    assert run.metrics["mlflow_run_id"] is None
    assert sum("disk gone" in r.getMessage() for r in caplog.records) == 1


def test_a_failed_run_is_marked_as_such(checkerboard, quick, store):
    quick["tracking"] = {"uri": store}
    with pytest.raises(recpair.RecpairError):
        recpair.fit(quick, ["train.learning_rate=1e30", "loss=bce"], data=checkerboard)
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("recpair")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_a_resumed_run_goes_on_in_its_own_mlflow_run(checkerboard, quick, store):
    quick["tracking"] = {"uri": store}
    first = recpair.fit(quick, ["train.epochs=2"], data=checkerboard)
    again = recpair.fit(quick, ["train.epochs=4"], data=checkerboard, resume=True)
    assert first.metrics["mlflow_run_id"] == again.metrics["mlflow_run_id"]
    assert again.metrics["epochs"] == 4


class Interrupting:
    """A log that ends the process, as it were, at an epoch."""

    def __init__(self, at):
        self.at = at

    def step(self, epoch, done, steps):
        pass

    def epoch(self, number, values):
        if number == self.at:
            raise KeyboardInterrupt


def test_resumed_epochs_are_logged_once(checkerboard, quick, store):
    """The store has three epochs, the checkpoint two."""
    quick["tracking"], quick["train"]["checkpoint_every"] = {"uri": store}, 2
    with pytest.raises(KeyboardInterrupt):
        recpair.fit(quick, data=checkerboard, log=Interrupting(4))
    client = MlflowClient(store)
    (before,) = client.search_runs([client.get_experiment_by_name("recpair").experiment_id])
    assert before.info.status == "KILLED"
    run = recpair.fit(quick, data=checkerboard, resume=True)
    assert run.metrics["mlflow_run_id"] == before.info.run_id
    for metric in ("train/loss", "valid/ndcg@5"):
        told = client.get_metric_history(before.info.run_id, metric_key(metric))
        expected = run.history.filter(pl.col("metric") == metric)
        assert [(m.step, m.value) for m in told] == list(zip(expected["epoch"], expected["value"], strict=True))


def test_a_tracked_run_that_was_left_running_is_completed(tracked, checkerboard, quick, store):
    run_id, client = tracked.metrics["mlflow_run_id"], MlflowClient(store)
    client.update_run(run_id, status="RUNNING")
    shutil.rmtree(Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / "run")
    changes = ["denoise=pld", "denoise.start_epoch=1"]
    recpair.fit(quick, changes, data=checkerboard, resume=True)
    told = client.get_run(run_id)
    assert told.info.status == "FINISHED"
    assert "run/metrics.json" in {entry.path for entry in client.list_artifacts(run_id, "run")}
    assert len(client.get_metric_history(run_id, "train/loss")) == 5
    assert len(client.get_metric_history(run_id, metric_key("test/ndcg@5"))) == 1


def test_the_page_that_is_named_shows_runs_and_not_traces(tracked, store):
    """MLflow 3 opens an experiment on traces unless the address asks for model training."""
    assert tracking_page(load_config(tracked.config)) == [
        f"mlflow ui --backend-store-uri {store}",
        "http://127.0.0.1:5000/#/experiments/1?workflowType=machine_learning",
    ]
    assert stores.page("databricks://profile", "boards") is None


def test_track_says_what_the_store_has_already(tracked, store, caplog):
    caplog.set_level("INFO", "recpair")
    run_id, client = tracked.metrics["mlflow_run_id"], MlflowClient(store)
    assert track(tracked, uri=store) == run_id
    assert "already tracked as a finished MLflow run" in caplog.text
    client.update_run(run_id, status="FAILED")
    assert track(tracked, uri=store) == run_id
    assert f"MLflow run {run_id} is FAILED; it is completed" in caplog.text
    client.delete_run(run_id)
    assert track(tracked, uri=store) != run_id


def test_links_and_checkpoints_are_not_uploaded(checkerboard, quick, store, tmp_path):
    run = recpair.fit(quick, data=checkerboard)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("private")
    (run.folder / "link").symlink_to(tmp_path / "secrets" / "key")
    (run.folder / "folder").symlink_to(tmp_path / "secrets")
    run_id = track(run, uri=store)
    found = stores.download(run_id, store)
    names = {path.relative_to(found).parts[0] for path in found.rglob("*")}
    assert names == {path.name for path in run.folder.iterdir()} - {"link", "folder", "checkpoint"}
    assert not any(path.is_symlink() for path in found.rglob("*"))
    assert recpair.load(found).recommend(k=2).equals(run.recommend(k=2))


def test_a_store_that_does_not_exist_is_not_created_by_reading(store, tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        recpair.load("0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_seeds_left_running_are_completed(checkerboard, quick, store):
    quick["tracking"] = {"uri": store}
    quick["train"]["epochs"] = 1
    fit_seeds(quick, [1, 2], data=checkerboard)
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("recpair").experiment_id
    (parent,) = [r for r in client.search_runs([experiment]) if "mlflow.parentRunId" not in r.data.tags]
    uploaded = {entry.path for entry in client.list_artifacts(parent.info.run_id, "run")}
    assert {"run/seeds.json", "run/config.yaml"} <= uploaded
    assert not any("seed-" in path for path in uploaded)  # the children have these
    client.update_run(parent.info.run_id, status="RUNNING")
    fit_seeds(quick, [1, 2], data=checkerboard, resume=True)
    assert {run.info.status for run in client.search_runs([experiment])} == {"FINISHED"}


def test_a_store_of_a_later_version(checkerboard, quick, store, caplog):
    stores.connect(store)
    with sqlite3.connect("mlflow.db") as database:
        database.execute("update alembic_version set version_num = 'fedcba987654'")
    quick["tracking"] = {
        "uri": store.replace("mlflow.db", "./mlflow.db")
    }  # mlflow keeps the stores that it knows, by address
    quick["train"]["epochs"] = 1
    assert recpair.fit(quick, data=checkerboard).metrics["mlflow_run_id"] is None
    assert len([record for record in caplog.records if "cannot be used" in record.getMessage()]) == 1


def test_a_server_that_never_answers(checkerboard, quick, store, caplog, monkeypatch):
    monkeypatch.setattr(stores, "ANSWER_WITHIN", 0.2)
    quick["train"]["epochs"] = 1
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        quick["tracking"] = {"uri": f"http://me:S3cr3t@127.0.0.1:{silent.getsockname()[1]}"}
        run = recpair.fit(quick, data=checkerboard)
    assert run.metrics["mlflow_run_id"] is None
    assert "no answer within 0.2 s" in caplog.text
    assert "S3cr3t" not in caplog.text
    for path in run.folder.rglob("*"):
        assert path.is_dir() or b"S3cr3t" not in path.read_bytes()
    caplog.clear()
    assert track(run) is None
    assert "its password is not stored with a run" in caplog.text


def test_the_environment_gives_a_stored_address_its_password_back(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://u:pw@h/db")
    assert stores.address("postgresql://u:***@h/db") == stores.address(None) == "postgresql://u:pw@h/db"
    assert stores.address("postgresql://u:***@other/db") == "postgresql://u:***@other/db"


@pytest.mark.slow
def test_processes_that_create_a_store_together(store):
    code = "import sys; from recpair.tracking.store import connect; connect(sys.argv[1]).create_experiment(sys.argv[2])"
    processes = [subprocess.Popen([sys.executable, "-c", code, store, f"e{i}"]) for i in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert {experiment.name for experiment in MlflowClient(store).search_experiments()} >= {"e0", "e1", "e2"}


def test_tracking_null_writes_no_store(checkerboard, quick, store, tmp_path):
    run = recpair.fit(quick, data=checkerboard)
    assert not (tmp_path / "mlflow.db").exists()
    assert track(run, uri=store) is not None


@pytest.mark.parametrize("uri", ["nonsense://x", "http://[bad", "postgresql+nodriver://x/y", "sqlite:///damaged.db"])
def test_a_store_that_cannot_be_is_said_once_and_the_run_goes_on(checkerboard, quick, store, caplog, uri):
    Path("damaged.db").write_text("this is no database\n" * 1000)
    quick["tracking"] = {"uri": uri}
    quick["train"]["epochs"] = 1
    run = recpair.fit(quick, data=checkerboard)
    assert run.metrics["mlflow_run_id"] is None
    assert len([record for record in caplog.records if "cannot be used" in record.getMessage()]) == 1

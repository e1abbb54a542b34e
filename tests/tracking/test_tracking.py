"""What MLflow is told, and what happens when it is away."""

import socket
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
from recpair.runs import track
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
    assert told.info.run_name == "run"
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

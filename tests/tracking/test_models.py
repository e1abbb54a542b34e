"""Runs as MLflow models: the folder, the requests, the tracked model, its versions and aliases."""

import json
import shutil
from importlib import metadata

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel, load_model, scoring_server

import recpair
from recpair.cli import main
from recpair.errors import RunError
from recpair.experiment.promote import promote
from recpair.experiment.track import track
from recpair.testing.models import checkerboard as board
from recpair.tracking import mlflow_tracker
from recpair.tracking.mlflow_tracker import metric_key
from recpair.tracking.pyfunc import save_model, write_model

pytestmark = pytest.mark.filterwarnings("default")  # mlflow's own dependencies warn
QUICK = {
    "split": {"name": "predefined"},
    "sampler": {"batch_size": 256},
    "model": {"name": "mf", "embedding_dim": 8},
    "train": {"epochs": 2, "seed": 1},
    "evaluate": {"metrics": ["ndcg"], "cutoffs": [5], "monitor": "ndcg@5"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def uri(place):
    return f"sqlite:///{place / 'mlflow.db'}"


@pytest.fixture(scope="module")
def run(place, uri):
    """A tracked and registered run; the artifacts of its store are in the same folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        config = QUICK | {"tracking": {"uri": uri, "register": "boards"}, "output": str(place / "run")}
        return recpair.fit(config, data=board().drop("timestamp"))


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)


@pytest.fixture(scope="module")
def model(run, place):
    save_model(run, place / "model")
    return load_model(str(place / "model"))


def answer(model, body, content_type="application/json"):
    """Status and body of MLflow's server, without the server."""
    try:
        found = scoring_server.invocations(json.dumps(body), content_type, model, model.metadata.get_input_schema())
    except MlflowException as error:
        return error.get_http_status_code(), json.loads(error.serialize_as_json())
    return found.status, json.loads(found.response)


def split(data, columns=("user_id",), **params):
    return {"dataframe_split": {"columns": list(columns), "data": data}, "params": params}


def test_a_model_folder_answers_as_the_run(run, model):
    found = model.predict(pd.DataFrame({"user_id": [3, 8]}), params={"k": 2})
    frame = run.recommend([3, 8], k=2)
    assert found.columns.tolist() == ["item_id", "score"]
    assert found["item_id"].tolist() == frame["item_id"].to_numpy().reshape(2, 2).tolist()
    filled = {param.name: param.default for param in model.metadata.get_params_schema()}  # as spark_udf does
    assert model.predict(pd.DataFrame({"user_id": [3, 8]}), params=filled | {"k": 2}).equals(found)
    status, body = answer(model, split([["3", None], [None, [5, "7"]]], ["user_id", "history"], k=2, exclude=[3, "5"]))
    assert status == 200
    expected = [run.recommend([3], k=2, exclude=[3, 5]), run.recommend(histories=[[5, 7]], k=2, exclude=[3, 5])]
    assert [row["item_id"] for row in body["predictions"]] == [each["item_id"].to_list() for each in expected]


@pytest.mark.parametrize("key", ["dataframe_records", "instances"])
def test_other_forms_of_requests(run, model, key):
    status, body = answer(model, {key: [{"user_id": 3}, {"user_id": 8}], "params": {"k": 1}})
    assert status == 200
    assert [row["item_id"] for row in body["predictions"]] == run.recommend([3, 8], k=1)["item_id"].reshape(
        (2, 1)
    ).to_list()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (split([[400]], k=2), "unknown user_id: 400 (40 users have training events)"),
        (split([["3"]], k=0), "k is 0, but there are 40 items to rank; choose k between 1 and 40"),
        (split([["3"]], k=41), "k is 41"),
        (split([["3"]], k="two"), "k is 'two'"),
        (split([["3"]], n=2), "unknown parameter 'n'"),
        (split([["3"]], items={"a": 1}), "items is {'a': 1}; expected a list of ids"),
        (split([["3"]], exclude_seen="no"), "exclude_seen is 'no'; expected True or False"),
        (split([[[3]]]), "user_id holds [3] of type list; expected numbers or text as ids"),
        (split([["3", [5]]], ["user_id", "history"]), "row 0 has both user_id and history"),
        (split([["3"]], ["user"]), "the columns are ['user']; did you mean user_id?"),
        (split([]), "the request has no rows"),
        ({"dataframe_records": []}, "the request has no rows"),
    ],
)
def test_a_wrong_request_has_one_line(model, body, message):
    status, found = answer(model, body)
    assert status == 400
    assert found["error_code"] == "INVALID_PARAMETER_VALUE"
    assert found["message"].startswith(message)
    assert "\n" not in found["message"]
    assert "stack_trace" not in found


def test_an_internal_error_stays_on_the_server(model, monkeypatch, caplog):
    def failing(*_args, **_kwargs):
        raise FileNotFoundError("/secret/path")

    monkeypatch.setattr("recpair.tracking.requests.answers", failing)
    status, found = answer(model, split([["3"]]))
    assert status == 500
    assert found["message"] == "internal error (FileNotFoundError); the log of the server has the details"
    assert "secret" not in json.dumps(found)
    assert "secret" in caplog.text


def test_requests_to_other_models_are_not_checked(model, place):
    code = "import mlflow\nclass M(mlflow.pyfunc.PythonModel):\n    def predict(self, context, model_input, params=None):\n"
    (place / "other.py").write_text(code + "        return model_input\nmlflow.models.set_model(M())\n")
    mlflow.pyfunc.save_model(str(place / "other"), python_model=str(place / "other.py"), pip_requirements=[])
    other = load_model(str(place / "other"))
    assert isinstance(other.unwrap_python_model(), PythonModel)
    assert other.predict(pd.DataFrame({"x": [1]}), params={"n": 2})["x"].tolist() == [1]


def test_the_files_of_a_model(run, model, place):
    found = {path.relative_to(place / "model").as_posix() for path in (place / "model").rglob("*") if path.is_file()}
    files = {"config.yaml", "environment.json", "manifest.json", "metrics.json", "model.safetensors"}
    files |= {"train.parquet", "vocabulary.parquet"}
    own = {"MLmodel", "conda.yaml", "input_example.json", "python_env.yaml", "requirements.txt", "served_model.py"}
    assert found == {f"artifacts/run/{name}" for name in files} | own | {"serving_input_example.json"}
    assert str(place) not in (place / "model" / "MLmodel").read_text()
    pinned = (place / "model" / "requirements.txt").read_text().splitlines()
    assert {f"recpair=={metadata.version('recpair')}", f"mlflow=={mlflow.__version__}"} <= set(pinned)
    assert all(line.partition("==")[2] and "+" not in line for line in pinned)
    assert {"pip": pinned} in yaml.safe_load((place / "model" / "conda.yaml").read_text())["dependencies"]
    params = {param.name: param.default for param in model.metadata.get_params_schema()}
    assert params == {"k": 10, "exclude_seen": True, "on_unknown": "raise", "items": [], "exclude": []}
    assert [str(column) for column in model.metadata.get_input_schema()] == [
        "'user_id': Any (optional)",
        "'history': Any (optional)",
    ]
    assert [column.name for column in model.metadata.get_output_schema()] == ["item_id", "score"]


def test_the_input_example_is_a_request(model, place):
    assert answer(model, json.loads((place / "model" / "serving_input_example.json").read_text()))[0] == 200
    assert len(model.predict(model.input_example, params={"k": 1})) == 2


def test_a_model_needs_an_empty_folder(run, place, model):
    with pytest.raises(RunError, match="is not empty; choose another folder to write a model to"):
        save_model(run, place / "model")
    (place / "empty").mkdir()
    save_model(run, place / "empty")
    assert (place / "empty" / "MLmodel").is_file()
    with pytest.raises(RunError, match=r"cannot write .*below: File exists"):
        save_model(run, place / "model" / "MLmodel" / "below")
    assert not list(place.glob(".*part"))


def test_a_tracked_run_has_a_model_with_its_metrics(run, uri):
    client = MlflowClient(uri)
    run_id = run.metrics["mlflow_run_id"]
    (logged,) = client.search_logged_models(["1"], filter_string=f"source_run_id = '{run_id}'")
    assert (logged.name, str(logged.status)) == ("recommender", "READY")
    assert [output.model_id for output in client.get_run(run_id).outputs.model_outputs] == [logged.model_id]
    values = {metric.key: metric.value for metric in logged.metrics}
    assert values == {metric_key(f"{part}/ndcg@5"): run.metrics[part]["ndcg@5"] for part in ("valid", "test")}
    assert {metric.dataset_digest for metric in logged.metrics} == {run.metrics["data"]["fingerprint"]}
    assert len(client.get_metric_history(run_id, metric_key("valid/ndcg@5"))) == 2  # epochs, as without a model
    stored = mlflow.models.Model.load(logged.artifact_location)
    assert (stored.model_id, stored.run_id) == (logged.model_id, run_id)
    assert load_model(logged.artifact_location).predict(pd.DataFrame({"user_id": [3]})).shape == (1, 2)


def test_a_run_is_promoted(run, uri, capsys):
    client = MlflowClient(uri)
    first = promote(run.folder, "champion")
    assert (first.name, first.version, first.previous) == ("boards", 1, None)
    assert client.get_model_version_by_alias("boards", "champion").run_id == run.metrics["mlflow_run_id"]
    assert promote(run.metrics["mlflow_run_id"], "champion", uri=uri).previous == 1
    assert main(["promote", str(run.folder), "--alias", "champion"]) == 0
    out = capsys.readouterr().out
    assert "boards version 1 is now champion, as before" in out
    assert "mlflow models serve -m models:/boards@champion --env-manager local" in out
    assert promote(run.folder, "best", name="others").version == 1
    assert len(client.search_model_versions("name = 'boards'")) == 1


@pytest.fixture(scope="module")
def later(run, place, uri):
    """A run that was not tracked during the fit, with its model's upload failing at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return recpair.fit(QUICK | {"tracking": None, "output": str(place / "later")}, data=board().drop("timestamp"))


def test_a_run_is_tracked_and_registered_later(later, uri, caplog, monkeypatch):
    caplog.set_level("INFO", "recpair")
    with pytest.raises(RunError, match="is not tracked in MLflow; upload it with `recpair track"):
        promote(later.folder, "champion", uri=uri)

    def failing(*_args):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracker, "log_model", failing)
        run_id = track(later, uri=uri)
    assert "is incomplete (disk full); `recpair track RUN` adds it" in caplog.text
    client = MlflowClient(uri)
    assert client.get_run(run_id).info.status == "FINISHED"
    with pytest.raises(RunError, match=r"has no model; `recpair track .*` adds it"):
        promote(later.folder, "champion", uri=uri)
    assert track(recpair.load(later.folder), uri=uri) == run_id
    assert "only its model is added" in caplog.text
    with pytest.raises(RunError, match="is not registered; give a name with --name NAME"):
        promote(later.folder, "champion", uri=uri)
    done = promote(later.folder, "champion", name="boards", uri=uri)
    assert (done.version, done.previous) == (2, 1)
    assert client.get_model_version_by_alias("boards", "champion").run_id == run_id
    assert len(client.get_metric_history(run_id, metric_key("test/ndcg@5"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alias", "v1"], "alias is 'v1'; expected letters, digits, _ and -"),
        (["--alias", "the best"], "alias is 'the best'"),
        (["--alias", "x", "--name", "a/b"], "name is 'a/b'; expected a name without / and :"),
        (["--alias", "x", "--uri", "sqlite:///missing.db"], "missing.db does not exist"),
        (["--alias", "x", "--uri", "http://127.0.0.1:9"], "cannot be reached"),
    ],
)
def test_promotions_that_fail(run, capsys, arguments, message):
    assert main(["promote", str(run.folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_run_that_the_store_does_not_have(uri):
    with pytest.raises(RunError, match=r"has no model of run 0{32}"):
        promote("0" * 32, "champion", name="boards", uri=uri)


def test_a_damaged_model_names_its_file(place, model):
    shutil.copytree(place / "model", place / "damaged")
    (place / "damaged" / "artifacts" / "run" / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=r"model.safetensors does not match its checksum"):
        load_model(str(place / "damaged"))


def test_a_model_from_outside_is_named_in_the_config_of_the_mlflow_model(run, place):
    shutil.copytree(run.folder, place / "outside")
    config = yaml.safe_load((place / "outside" / "config.yaml").read_text())
    config["model"]["name"] = "my_package.models:Mine"
    (place / "outside" / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (place / "outside" / "manifest.json").unlink()
    (place / "named").mkdir()
    write_model(place / "outside", place / "named", shutil.copyfile)
    assert yaml.safe_load((place / "named" / "MLmodel").read_text())["flavors"]["python_function"]["config"] == {
        "plugins": ["my_package.models"]
    }

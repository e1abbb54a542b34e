"""Exported ONNX models, run by onnxruntime, recommend what the run recommends."""

import json
import warnings

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
import torch

import recpair
from recpair.errors import RunError
from recpair.integrations.onnx import export as exporting
from recpair.models import MODELS
from recpair.run.recommend import Recommender
from recpair.testing.models import checkerboard

T, K = 4, 10
CASES = {
    "mf": {"embedding_dim": 8},
    "sasrec": {"history_length": T, "embedding_dim": 8, "block": "ligr", "n_layers": 1},
    "gru4rec": {"history_length": T, "embedding_dim": 8, "hidden_dim": 8},
    "ease": {"ridge": 5.0},
    "item_knn": {"k": 4, "shrinkage": 1.0},
}


@pytest.fixture(scope="module")
def train():
    """Repeated events, text ids of users, a user and an item without a training event, and long histories."""
    rng = np.random.default_rng(0)
    repeated = checkerboard().sample(900, with_replacement=True, seed=0)
    events = pl.concat([checkerboard(), repeated]).with_columns(
        timestamp=pl.Series(rng.permutation(100_000)[: 900 + 800])
    )
    frame = events.with_columns(pl.format("u{}", "user_id").alias("user_id"))
    whole = recpair.Interactions.from_polars(frame)
    return whole.select((whole.user != 7) & (whole.item != 12))


@pytest.fixture(scope="module")
def made(train, tmp_path_factory):
    """Model and exported folder of each case."""
    found, generator = {}, torch.Generator().manual_seed(1)
    for name, options in CASES.items():
        model = MODELS[name](train, **options)
        if hasattr(model, "fit"):
            model.fit(train)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.5, generator=generator)
        folder = tmp_path_factory.mktemp(name)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exporting.write_onnx(folder, model.eval(), train, {"model": name})
        found[name] = model, folder
    return found


def session_of(folder):
    return onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def rows_of(folder, kind):
    """External id → row of the exported table."""
    column = pl.read_parquet(folder / f"{kind}s.parquet")[f"{kind}_id"]
    return dict(zip(column, range(len(column)), strict=True))


def padded_rows(folder, histories):
    row = rows_of(folder, "item")
    width = max(map(len, histories))
    return np.array([[-1] * (width - len(items)) + [row[item] for item in items] for items in histories])


def assert_same(found, ours, folder):
    """Items and scores (Q, k) of onnxruntime against the table of ``Recommender.recommend``, where fewer items may be left."""
    items, scores = found
    left = items >= 0
    ids = pl.read_parquet(folder / "items.parquet")["item_id"]
    np.testing.assert_allclose(scores[left], ours["score"].to_numpy(), rtol=1e-5, atol=1e-5)
    assert np.isneginf(scores[~left]).all()
    same = ids.gather(items[left]) == ours["item_id"]
    near = np.abs(np.diff(ours["score"].to_numpy(), prepend=np.inf, append=-np.inf)) < 1e-4
    assert (same.to_numpy() | near[1:] | near[:-1]).all()  # the order of almost equal scores is not determined


@pytest.mark.parametrize("exclude", [True, False])
def test_users_get_the_runs_recommendations(made, train, exclude):
    model, folder = made["mf"]
    users = list(rows_of(folder, "user"))
    assert train.vocabulary.users.values[7] not in users
    feed = {"user": np.arange(len(users)), "k": np.array(K), "exclude_seen": np.array(exclude)}
    ours = Recommender(model, train).recommend(users, k=K, exclude_seen=exclude)
    assert_same(session_of(folder).run(None, feed), ours, folder)


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "ease", "item_knn"])
@pytest.mark.parametrize("exclude", [True, False])
def test_histories_of_all_lengths_get_the_models_recommendations(made, train, name, exclude):
    """1 … 3 T items, repeated ones too; batches of one and of many."""
    model, folder = made[name]
    session, ours = session_of(folder), Recommender(model, train)
    rng = np.random.default_rng(1)
    lists = [rng.choice(sorted(rows_of(folder, "item")), length).tolist() for length in range(1, 3 * T)]
    for histories in ([lists[0]], [lists[-1]], lists):
        feed = {"history": padded_rows(folder, histories), "k": np.array(K), "exclude_seen": np.array(exclude)}
        assert_same(session.run(None, feed), ours.recommend(histories=histories, k=K, exclude_seen=exclude), folder)


def test_onnxruntime_opens_it_without_warnings_and_few_items_may_be_left(made, train, capfd):
    model, folder = made["ease"]
    session, every = onnxruntime.InferenceSession(folder / "model.onnx"), list(rows_of(folder, "item"))
    assert capfd.readouterr() == ("", "")
    assert [each.name for each in session.get_inputs()] == ["history", "k", "exclude_seen"]
    history, exclude = every[:-3], {"exclude_seen": np.array(True)}
    found = session.run(None, {"history": padded_rows(folder, [history]), "k": np.array(10), **exclude})
    assert found[0].shape == (1, 10)
    assert (found[0] >= 0).sum() == 3
    assert_same(found, Recommender(model, train).recommend(histories=[history], k=10), folder)
    padding = session.run(None, {"history": np.full((1, 2), -1), "k": np.array(len(every)), **exclude})
    assert (padding[1] == 0).all()


@pytest.mark.parametrize("name", CASES)
def test_the_file_says_what_it_is_and_no_path_of_this_machine(made, name):
    _, folder = made[name]
    onnx.checker.check_model(folder / "model.onnx", full_check=True)
    model = onnx.load(folder / "model.onnx")
    about = json.loads((folder / "metadata.json").read_text())
    assert [(each.domain, each.version) for each in model.opset_import] == [("", about["opset"])]
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["item_ids"]) == pl.read_parquet(folder / "items.parquet")["item_id"].to_list()
    assert said["model"] == about["model"] == name
    assert about["checked"]["largest_difference"] <= 1e-5 * max(1, about["checked"]["largest_score"])
    assert b".py" not in (folder / "model.onnx").read_bytes()
    assert not any(value.metadata_props for value in (*model.graph.value_info, *model.graph.node, model.graph))
    tables = [each.raw_data for each in model.graph.initializer if len(each.dims) == 2]
    assert len(set(tables)) == len(tables), "a table is stored once"


def test_a_sparse_model_is_stored_sparsely(made):
    sizes = [np.prod(each.dims) for each in onnx.load(made["item_knn"][1] / "model.onnx").graph.initializer]
    assert max(sizes) == 39 * 4


def test_a_file_that_scores_differently_is_refused(made, train, tmp_path, monkeypatch):
    def other(*args):
        graph = graph_of(*args)
        graph.item_vectors = graph.item_vectors * 1.001
        return graph

    graph_of = exporting.graph_of
    monkeypatch.setattr(exporting, "graph_of", other)
    with pytest.raises(RunError, match=r"scores of the exported model mf differ from those of the run by \d"):
        exporting.write_onnx(tmp_path, made["mf"][0], train, {"model": "mf"})

"""Exported vectors: their inner products are the run's scores, and a faiss search gives its recommendations."""

import json

import faiss
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import recpair
from recpair.data import SOURCES
from recpair.errors import DataError, RunError
from recpair.integrations.embeddings import Embeddings
from recpair.models import MODELS

K = 10
VECTOR_MODELS = {"mf", "lightgcn", "ials", "sasrec", "gru4rec", "two_tower"}


def exported(run, folder):
    """Export the vectors of a run; return the two tables, the index and the metadata."""
    recpair.export(run, folder, format="vectors")
    tables = (pl.read_parquet(folder / f"{name}.parquet") for name in ("items", "users"))
    return *tables, faiss.read_index(str(folder / "items.faiss")), json.loads((folder / "metadata.json").read_text())


def best_unseen(items, users, index, train):
    """Rows of items.parquet and scores (U, K), found by searching for K more than the user has seen."""
    row = {item: place for place, item in enumerate(items["item_id"])}
    seen = dict(train.group_by("user_id").agg("item_id").iter_rows())
    found, scores = [], []
    for user, vector in zip(users["user_id"], users["vector"].to_numpy(), strict=True):
        known = np.array([row[item] for item in seen[user]])
        near, rows = index.search(vector[None], min(K + len(known), index.ntotal))
        kept = ~np.isin(rows[0], known)
        found.append(rows[0][kept][:K])
        scores.append(near[0][kept][:K])
    return np.array(found), np.array(scores)


def assert_same_rankings(run, items, users, found, scores):
    """The same scores rank by rank; the same items but where scores are equal to rounding."""
    ours = run.recommend(users["user_id"], k=K)
    assert len(ours) == found.size
    np.testing.assert_allclose(scores.ravel(), ours["score"].to_numpy(), rtol=1e-5, atol=1e-5)
    theirs = items["item_id"].gather(found.ravel())
    own = run.score(ours["user_id"], theirs)["score"].to_numpy()
    np.testing.assert_allclose(own, ours["score"].to_numpy(), rtol=1e-5, atol=1e-5)
    assert (theirs == ours["item_id"]).mean() > 0.999


def test_all_users_of_movielens_get_the_runs_recommendations(tmp_path):
    try:
        SOURCES["ml-100k"]()
    except DataError as reason:
        pytest.skip(str(reason))
    config = {
        "data": {"source": "ml-100k"},
        "model": {"name": "mf", "embedding_dim": 16},
        "evaluate": {"metrics": ["ndcg"]},
        "train": {"epochs": 1, "seed": 1},
        "tracking": None,
        "output": str(tmp_path / "run"),
    }
    run = recpair.fit(config)
    items, users, index, about = exported(run, tmp_path / "vectors")
    assert (len(users), about["users"], about["items"], index.ntotal) == (943, 943, len(items), len(items))
    found, scores = best_unseen(items, users, index, run.recommender.train.to_polars())
    assert_same_rankings(run, items, users, found, scores)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_text_ids_of_a_sequence_model(checkerboard, quick, tmp_path, similarity):
    """User vectors are those of the training histories; held-out items without a training event have no vector."""
    events = checkerboard.with_columns(
        pl.format("u{}", "user_id").alias("user_id"), pl.format("i{}", "item_id").alias("item_id")
    ).with_columns(timestamp=pl.int_range(pl.len()))
    events = events.vstack(events.head(1).with_columns(item_id=pl.lit("only tested"), split=pl.lit("test")))
    model = {"name": "sasrec", "embedding_dim": 8, "history_length": 6, "similarity": similarity}
    quick |= {"model": model, "loss": "softmax", "sampler": None}
    run = recpair.fit(quick, ["train.epochs=1"], data=events)
    items, users, index, about = exported(run, tmp_path / "vectors")
    assert items.schema["vector"] == users.schema["vector"] == pl.Array(pl.Float32, 8)
    assert "only tested" not in items["item_id"]
    assert about["metric"] == {"dot": "inner_product", "cosine": "cosine"}[similarity]
    assert index.metric_type == faiss.METRIC_INNER_PRODUCT
    products = users["vector"].to_numpy() @ items["vector"].to_numpy().T
    pairs = pl.DataFrame({"user_id": users["user_id"]}).join(items.select("item_id"), how="cross")
    own = run.score(pairs["user_id"], pairs["item_id"])["score"].to_numpy()
    np.testing.assert_allclose(products.ravel(), own, rtol=1e-5, atol=1e-6)
    if similarity == "cosine":
        np.testing.assert_allclose(np.linalg.norm(items["vector"].to_numpy(), axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(index.reconstruct_n(0, index.ntotal), items["vector"].to_numpy())


def test_arrow_reads_fixed_size_lists_and_the_metric(checkerboard, quick, tmp_path):
    run = recpair.fit(quick, ["train.epochs=1"], data=checkerboard)
    exported(run, tmp_path / "vectors")
    for name, users_or_items in (("items", 40), ("users", 40)):
        file = pq.ParquetFile(tmp_path / "vectors" / f"{name}.parquet")
        assert file.schema_arrow.field("vector").type == pa.list_(pa.float32(), 8)
        assert file.metadata.num_rows == users_or_items
        assert file.metadata.metadata[b"metric"] == b"inner_product"
        assert file.metadata.metadata[b"run"].decode() == run.files.manifest.id


def test_models_with_vectors_are_those_that_the_refusal_names(checkerboard, quick, bare, tmp_path):
    run = recpair.fit(bare | {"model": "ease"}, data=checkerboard)
    with pytest.raises(RunError, match="model ease has no vectors") as refused:
        recpair.export(run, tmp_path / "vectors", format="vectors")
    assert not (tmp_path / "vectors").exists()
    train = recpair.Interactions.from_polars(checkerboard.with_columns(timestamp=pl.int_range(pl.len())))
    with torch.no_grad():
        found = {name for name, kind in MODELS.items() if Embeddings.of(kind(train).eval(), train) is not None}
    assert found == VECTOR_MODELS
    assert all(name in str(refused.value) for name in found)

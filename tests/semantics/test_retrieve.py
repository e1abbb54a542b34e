"""The semantic stage as a whole: nothing held out is looked at, everything is kept, and mistakes are told."""

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recpair.errors import DataError
from recpair.experiment.build import retrieved_of
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.semantics import ENCODERS, retrieve
from recpair.semantics.encoders import VectorFile

pytest.importorskip("wordllama", reason="needs recpair[text]")
pytest.importorskip("faiss", reason="needs recpair[text]")


def poisoned(splits):
    """The same training part; what is held out was taken by others, is something else, and is doubled."""
    valid, test = splits.valid, splits.test
    other = replace(valid, item=valid.item[::-1].copy(), user=np.sort(valid.user)[::-1].copy())
    return replace(splits, valid=other, test=test.select(np.repeat(np.arange(len(test)), 2)), report={}, notes=())


def assert_equal(one, other):
    for name in ("item_vectors", "item_neighbours", "history_vectors", "history_neighbours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_held_out_events_change_nothing(splits):
    assert_equal(
        retrieve(splits, name="wordllama", template="{title}"),
        retrieve(poisoned(splits), name="wordllama", template="{title}"),
    )


def test_who_is_whose_neighbour(splits):
    found = retrieve(splits, name="wordllama", template="{title}", k=4)
    train = splits.train
    assert found.item_vectors.shape == (train.n_items, 256)
    assert found.history_neighbours.shape == (len(train), 4)
    np.testing.assert_allclose(np.linalg.norm(found.item_vectors, axis=1), 1, rtol=1e-5)
    assert (train.item_counts[found.item_neighbours] > 0).all()
    assert (found.item_neighbours != np.arange(train.n_items)[:, None]).all()
    first = np.isin(np.arange(len(train)), train.indptr[:-1])
    assert (found.history_neighbours[first] == -1).all()
    assert not found.history_vectors[first].any()
    rows = found.history_neighbours[~first]
    assert not np.isin(rows, np.flatnonzero(first)).any()
    assert (train.user[rows] != train.user[~first, None]).all()
    kind = {index: int(id_) % 5 for index, id_ in enumerate(train.vocabulary.items.values)}
    same = [kind[i] == kind[j] for i, row in enumerate(found.item_neighbours.tolist()) for j in row]
    assert np.mean(same) > 0.9  # of forty names of five products


def test_the_same_user_is_kept_where_it_is_wanted(splits):
    found = retrieve(splits, name="wordllama", template="{title}", same_user=True)
    rows = found.history_neighbours
    asked = np.broadcast_to(splits.train.user[:, None], rows.shape)
    assert (splits.train.user[rows] == asked)[rows >= 0].mean() > 0.1
    assert (rows != np.arange(len(rows))[:, None]).all()


def test_results_are_kept_and_found_again(splits, tmp_path, monkeypatch):
    options = {"name": "wordllama", "template": "{title}", "folder": str(tmp_path / "kept")}
    first = retrieve(splits, **options)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    assert sorted(name.rpartition("-")[0] for name in kept) == [
        "neighbours-of-histories",
        "neighbours-of-items",
        "vectors",
    ]

    def forbidden(*args, **kwargs):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr("recpair.semantics.stage.nearest", forbidden)
        patch.setattr("recpair.semantics.encoders.word_llama.WordLlama.encode", forbidden)
        assert_equal(retrieve(splits, **options), first)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} == kept
    retrieve(splits, **(options | {"k": 3}))
    assert len(list((tmp_path / "kept").iterdir())) == 5  # two more searches, the same vectors


def test_an_interruption_loses_one_part_at_most(splits, tmp_path, monkeypatch):
    monkeypatch.setattr("recpair.semantics.vectors.PART", 10)
    asked = []

    class Tired:
        def identity(self):
            return ("tired",)

        def encode(self, texts):
            asked.append(len(texts))
            if len(asked) == 3:
                raise KeyboardInterrupt
            return np.array([[len(text), 1.0] for text in texts])

    monkeypatch.setitem(ENCODERS, "tired", Tired)
    options = {"name": "tired", "template": "{title}", "folder": str(tmp_path)}
    with pytest.raises(KeyboardInterrupt):
        retrieve(splits, **options)
    retrieve(splits, **options)
    assert asked == [10, 10, 10, 10, 10]  # 40 texts: the two parts before the interruption are not asked again


def test_a_damaged_file_is_named(splits, tmp_path):
    options = {"name": "wordllama", "template": "{title}", "folder": str(tmp_path)}
    retrieve(splits, **options)
    path = next(tmp_path.glob("vectors-*"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"vectors-.*is damaged .*delete it"):
        retrieve(splits, **options)


def test_items_without_text_have_zeros_and_no_neighbours(splits, caplog):
    caplog.set_level(logging.INFO, "recpair")
    items = splits.items.with_columns(title=pl.when(pl.col("item_id") < 3).then(None).otherwise("title"))
    found = retrieve(replace(splits, items=items), name="wordllama", template="{title}")
    empty = splits.vocabulary.items.find([0, 1, 2])
    assert not found.item_vectors[empty].any()
    assert (found.item_neighbours[empty] == -1).all()
    assert not np.isin(found.item_neighbours, empty).any()
    assert "3 of 40 items have no text" in caplog.text
    with pytest.raises(DataError, match="all 40 texts are empty"):
        retrieve(
            replace(splits, items=items.with_columns(title=pl.lit(None, pl.String))),
            name="wordllama",
            template="{title}",
        )


def test_by_the_config_it_is_kept_beside_the_run_folder(events, items, tmp_path):
    raw = {
        "semantics": {"template": "{title}", "k": 2},
        "split": "leave_last",
        "output": str(tmp_path / "runs" / "one"),
    }
    config = load_config(raw)
    assert config["semantics"]["name"] == "wordllama"
    splits = prepare(config, events, items)
    assert retrieved_of(config, splits).item_neighbours.shape[1] == 2
    assert len(list((tmp_path / "runs" / ".semantics").iterdir())) == 3
    assert retrieved_of(load_config(raw, ["semantics=null"]), splits) is None


def test_wordllama_leaves_the_root_logger_alone_and_warns_of_nothing():
    code = (
        "import logging; from recpair.semantics.encoders.word_llama import WordLlama; "
        "vectors = WordLlama().encode(['red lipstick', 'x']); root = logging.getLogger(); "
        "print(vectors.shape, root.handlers, root.level)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 256) [] 30"
    assert done.stderr == ""


def test_vectors_from_a_file(splits, tmp_path, caplog):
    caplog.set_level(logging.INFO, "recpair")
    path = tmp_path / "v.parquet"
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    pl.DataFrame({"item_id": [str(i) for i in range(5, 55)], "vector": vectors.tolist()}).write_parquet(path)
    found = retrieve(splits, name="file", path=str(path))
    ids = splits.vocabulary.items.values.to_numpy()
    for index, id_ in enumerate(ids):
        expected = vectors[id_ - 5] / np.linalg.norm(vectors[id_ - 5]) if id_ >= 5 else np.zeros(6)
        np.testing.assert_allclose(found.item_vectors[index], expected, rtol=1e-5)
    assert "has 35 of 40 items" in caplog.text


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"item_id": [1, 2], "vector": [[1.0], [1.0, 2.0]]},
            {},
            "row 2: item_id 2 has a vector of 2 numbers, expected 1 as in",
        ),
        ({"item_id": [1], "vector": [[1.0, 2.0]]}, {"dim": 3}, r"vector of 2 numbers, expected 3 \(semantics.dim\)"),
        ({"item_id": [1, 2], "vector": [[1.0], None]}, {"dim": 1}, "row 2: item_id 2 has a vector of 0 numbers"),
        ({"item_id": [1, 2], "vector": [[1.0], [float("nan")]]}, {}, "row 2: item_id 2 has a value that is not finite"),
        ({"item_id": [1, 2], "vector": [[1.0], [None]]}, {}, "row 2: item_id 2 has a value that is not finite"),
        ({"item_id": [1, 1], "vector": [[1.0], [1.0]]}, {}, "has item_id 1 twice"),
        ({"item_id": ["x"], "vector": [[1.0]]}, {}, "has none of the 40 items: its ids are such as 'x'"),
        ({"item_id": [1], "vector": ["1 2"]}, {}, "is of type String; expected lists of numbers"),
        ({"item": [1], "vector": [[1.0]]}, {}, r"has no column 'item_id' \(found: item, vector\)"),
    ],
)
def test_files_of_vectors_that_cannot_be_used(splits, tmp_path, columns, options, message):
    path = tmp_path / "v.parquet"
    pl.DataFrame(columns, strict=False).write_parquet(path)
    with pytest.raises(DataError, match=message):
        VectorFile(path=str(path), **options).read(splits.vocabulary.items)


def test_a_file_that_is_none(splits, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        VectorFile(path=str(tmp_path / "none")).read(splits.vocabulary.items)
    (tmp_path / "text").write_text("no parquet")
    with pytest.raises(DataError, match="not a Parquet file"):
        VectorFile(path=str(tmp_path / "text")).read(splits.vocabulary.items)

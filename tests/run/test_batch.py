"""Files in and out: the users that are asked for, and tables of any content."""

import datetime
import json
import logging

import polars as pl
import pytest

import recpair
from recpair.cli import main
from recpair.errors import DataError, RecpairError, RunError
from recpair.run.batch import check_output, read_users, write_table
from recpair.run.run import Run


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run of a file whose columns are uid and sku, with an item table of nested columns."""
    folder = tmp_path_factory.mktemp("batch")
    rows = [(u, i) for u in range(12) for i in range(12) if (u + i) % 2 == 0]
    pl.DataFrame(rows, schema=["uid", "sku"], orient="row").write_csv(folder / "events.csv")
    items = {"sku": range(12), "title": [f'No. {i}, "a"\nb' for i in range(12)], "tags": [["x", "y"]] * 11 + [None]}
    pl.DataFrame(items | {"size": [{"w": i} for i in range(12)], "rank": range(12)}).write_parquet(
        folder / "items.parquet"
    )
    settings = ["model.name=popularity", "tracking=null", "evaluate.cutoffs=[2]", "evaluate.monitor=ndcg@2"]
    data = ["data.columns.user=uid", "data.columns.item=sku", f"data.path={folder / 'events.csv'}"]
    (folder / "c.yaml").write_text("split: {name: ratio}\n")
    overrides = [*settings, *data, f"data.items={folder / 'items.parquet'}", f"output={folder / 'run'}"]
    assert main(["fit", "--config", str(folder / "c.yaml"), *overrides]) == 0
    return folder / "run"


def recommend(fitted, out, *options):
    return main(["recommend", str(fitted), "--out", str(out), "--k", "2", *options])


def test_titles_with_nested_columns_are_written_to_csv(fitted, tmp_path, capsys):
    assert recommend(fitted, tmp_path / "r.csv", "--all", "--titles") == 0
    notes = capsys.readouterr().err
    assert "column tags is nested; its lists are joined with '|'" in notes
    assert "column size is nested; its values are JSON" in notes
    frame = pl.read_csv(tmp_path / "r.csv")
    assert frame.columns == ["user_id", "item_id", "score", "rank", "title", "tags", "size", "rank_right"]
    assert len(frame) == 24
    for item, title, tags, size in frame.select("item_id", "title", "tags", "size").rows():
        assert title == f'No. {item}, "a"\nb'
        assert tags == ("x|y" if item < 11 else None)
        assert json.loads(size) == {"w": item}


def test_nested_columns_stay_as_they_are_in_other_formats(fitted, tmp_path):
    assert recommend(fitted, tmp_path / "r.parquet", "--all", "--titles") == 0
    assert recommend(fitted, tmp_path / "r.jsonl", "--all", "--titles") == 0
    parquet, lines = pl.read_parquet(tmp_path / "r.parquet"), pl.read_ndjson(tmp_path / "r.jsonl")
    assert parquet.schema["tags"] == pl.List(pl.String)
    assert lines["tags"].to_list() == parquet["tags"].to_list()
    assert lines["size"].to_list() == parquet["size"].to_list()


def test_popular_items_stand_where_the_user_was_asked_for_and_are_marked(fitted, tmp_path):
    (tmp_path / "u.txt").write_text("3\n999\n5\n")
    assert recommend(fitted, tmp_path / "r.csv", "--users", str(tmp_path / "u.txt"), "--on-unknown", "popular") == 0
    frame = pl.read_csv(tmp_path / "r.csv")
    assert frame["user_id"].to_list() == [3, 3, 999, 999, 5, 5]
    assert frame["fallback"].to_list() == [False, False, True, True, False, False]
    assert recommend(fitted, tmp_path / "s.csv", "--users", str(tmp_path / "u.txt"), "--on-unknown", "skip") == 0
    assert pl.read_csv(tmp_path / "s.csv").columns == ["user_id", "item_id", "score", "rank"]


@pytest.mark.parametrize("name", ["uid", "user_id"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "tsv"])
def test_the_users_may_have_the_column_name_of_the_runs_own_data(fitted, tmp_path, name, ending):
    frame = pl.DataFrame({"other": ["a", "b", "c"], name: [4, 2, 4]})
    path = tmp_path / f"users.{ending}"
    writers = {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}
    writers.get(ending, lambda path: frame.write_csv(path, separator="\t"))(path)
    assert recommend(fitted, tmp_path / "r.csv", "--users", str(path)) == 0
    assert pl.read_csv(tmp_path / "r.csv")["user_id"].to_list() == [4, 4, 2, 2]


def test_frames_may_have_it_too(fitted):
    run = Run.open(fitted)
    frame = run.recommend(pl.DataFrame({"uid": [4, 2]}), k=2)
    assert frame["user_id"].to_list() == [4, 4, 2, 2]
    assert run.recommend(pl.DataFrame({"uid": [4], "user_id": [2]}), k=1)["user_id"].to_list() == [4]
    assert run.recommend([4], k=1, items=pl.DataFrame({"sku": [1, 3]}))["item_id"].is_in([1, 3]).all()


def test_notes_say_which_rows_of_the_users_are_left_out(tmp_path, caplog):
    path = tmp_path / "u.csv"
    path.write_text("user_id,uid,x\n1,7,a\n,,b\n1,7,c\n2,8,d\n")
    with caplog.at_level(logging.INFO, "recpair"):
        assert read_users(path, ["uid", "user_id"]).to_list() == [7, 8]
    assert [message.removeprefix(f"{path}: ") for message in caplog.messages] == [
        "the users are read from column uid, not user_id",
        "rows without uid are left out (rows: 1)",
        "duplicate ids are used once (rows: 1)",
    ]


def test_floats_of_a_column_with_gaps_are_the_ids_that_they_stand_for(fitted, tmp_path):
    (tmp_path / "u.csv").write_text("user_id,x\n4.0,a\n,b\n2.0,c\n")
    (tmp_path / "u.txt").write_text("4.0\n2.0\n")
    for name in ("u.csv", "u.txt"):
        assert recommend(fitted, tmp_path / "r.csv", "--users", str(tmp_path / name)) == 0
        assert (tmp_path / "r.csv").read_text().splitlines()[1].startswith("4,")


def test_a_run_without_an_item_table_says_so(checkerboard, quick, caplog):
    run = recpair.fit(quick, ["model=popularity"], data=checkerboard)
    with caplog.at_level(logging.INFO, "recpair"):
        assert run.recommend([1], k=1, titles=True).columns == ["user_id", "item_id", "score", "rank"]
    assert caplog.messages[-1].endswith("has no item table, so titles adds no columns")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("u.csv", "uid\n1\n", "has no column 'sku' or 'user_id' (found: uid); rename"),
        ("u.csv", "1,2\n3,4\n", "has no column 'sku' or 'user_id' (found: 1, 2); rename"),
        ("u.csv", "user_id\n", "contains no users; expected one id per line, or a column sku or user_id"),
        ("u.csv", "", "contains no users"),
        ("u.xlsx", "x", "has an unknown extension"),
        ("u.txt", "\n \n", "contains no users"),
    ],
)
def test_files_that_name_no_users_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as error:
        read_users(tmp_path / name, ["sku", "user_id"])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_places_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"folder\.csv is a folder; give the name of a file"):
        check_output(tmp_path / "folder.csv")
    with pytest.raises(RunError, match="is not a folder; choose another"):
        check_output(tmp_path / "file" / "below" / "r.csv")
    with pytest.raises(DataError, match=r"has the extension '.xlsx'"):
        check_output(tmp_path / "r.xlsx")
    check_output(tmp_path / "new" / "folders" / "r.csv")


def test_the_file_of_the_users_is_not_overwritten(fitted, tmp_path, capsys):
    (tmp_path / "u.csv").write_text("user_id\n1\n")
    assert recommend(fitted, tmp_path / "u.csv", "--users", str(tmp_path / "u.csv")) == 2
    assert "--out would overwrite the file of --users" in capsys.readouterr().err


COLUMNS = {
    "text": (['a"\n,;|\t\r', "\0", "", None], ['a"\n,;|\t\r', "\0", "", None]),
    "joined": ([["a", None, "b"], [], None, [""]], ["a||b", "", None, ""]),
    "numbers": ([[1.5, 2.0], [], None, [0.1]], ["1.5|2.0", "", None, "0.1"]),
    "piped": ([["a|b", "c"], [], None, ["é"]], ['["a|b", "c"]', "[]", None, '["é"]']),
    "lists of lists": ([[[1], [2, 3]], [], None, [[]]], ["[[1], [2, 3]]", "[]", None, "[[]]"]),
    "structs": ([{"a": 1, "b": datetime.date(2020, 1, 2)}] * 4, ['{"a": 1, "b": "2020-01-02"}'] * 4),
    "bytes": ([b"\xff", b"", None, b"a"], ["/w==", "", None, "YQ=="]),
    "bytes in lists": ([[b"\xff"], [], None, [b"a"]], ['["/w=="]', "[]", None, '["YQ=="]']),
    "durations": ([datetime.timedelta(hours=1), None, None, None], ["PT1H", None, None, None]),
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_kind_of_column_can_be_written(tmp_path, kind, ending):
    values, text = COLUMNS[kind]
    path = tmp_path / f"t.{ending}"
    frame = pl.DataFrame({"n": range(4), "x": values})
    write_table(path, frame)
    if ending == "csv":
        found = pl.read_csv(path, infer_schema=False)["x"].to_list()
        assert [value or None for value in found] == [value or None for value in text]  # "" is missing in a csv
    elif ending == "parquet":
        assert pl.read_parquet(path)["x"].equals(frame["x"])
    else:
        assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [0, 1, 2, 3]


def test_a_table_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(RecpairError, match="cannot write"):
        write_table(tmp_path / "t.parquet", pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)}))
    assert list(tmp_path.iterdir()) == []

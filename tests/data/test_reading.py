"""Every format gives the same events; every bad row is named."""

import datetime
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from recpair.data.events import events_from, read_data
from recpair.data.filtering import filter_events
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError, DataError

EVENTS = pl.DataFrame(
    {
        "user_id": ["u1", "u1", "u2", "u3"],
        "item_id": [10, 20, 10, 30],
        "rating": [5.0, 3.5, 1.0, 4.0],
        "timestamp": [100, 300, 200, 400],
    }
)
COLUMNS = {"user": "user_id", "item": "item_id"}


def written(folder, ending):
    """EVENTS in the format that the ending names."""
    path = folder / f"events.{ending}"
    if ending in ("csv", "tsv", "txt"):
        EVENTS.write_csv(path, separator={"csv": ",", "tsv": "\t", "txt": "|"}[ending])
    elif ending == "dat":
        lines = ["::".join(map(str, row)) for row in EVENTS.rows()]
        path.write_text("\n".join(lines) + "\n")
    elif ending == "parquet":
        EVENTS.write_parquet(path)
    elif ending == "jsonl":
        EVENTS.write_ndjson(path)
    elif ending == "inter":
        types = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}
        EVENTS.rename({name: f"{name}:{type_}" for name, type_ in types.items()}).write_csv(path, separator="\t")
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt", "dat", "parquet", "jsonl", "inter"])
def test_every_format_gives_the_same_events(tmp_path, ending):
    frame = read_data(path=str(written(tmp_path, ending))).frame
    assert frame.equals(EVENTS.with_columns(pl.col("rating").cast(pl.Float32)))


def test_a_folder_of_parquet_files_is_one_data_set(tmp_path):
    EVENTS.head(3).write_parquet(tmp_path / "part-0.parquet")
    EVENTS.tail(1).write_parquet(tmp_path / "part-1.parquet")
    assert len(read_data(path=str(tmp_path))) == 4


def test_a_folder_of_files_that_do_not_go_together_names_the_file(tmp_path):
    EVENTS.write_parquet(tmp_path / "a.parquet")
    EVENTS.with_columns(pl.col("item_id").cast(pl.String)).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet and .*a\.parquet differ in column 'item_id'"):
        read_data(path=str(tmp_path))


def test_brackets_in_a_name_are_no_pattern(tmp_path):
    written(tmp_path, "csv").rename(tmp_path / "events[1].csv")
    assert len(read_data(path=str(tmp_path / "events[1].csv"))) == 4


def test_quoted_fields_are_read_at_any_separator(tmp_path):
    lines = ['"user_id";"item_id";"title"', '"u1";"10";"a; b"', '"u2";"20";"c"']
    (tmp_path / "events.csv").write_text("\n".join(lines) + "\n")
    assert read_data(path=str(tmp_path / "events.csv")).frame["item_id"].to_list() == [10, 20]


def test_a_stray_quote_in_a_tab_separated_file_is_text(tmp_path):
    (tmp_path / "events.tsv").write_text('user_id\titem_id\nu1\ta"b\nu2\t"c\n')
    assert read_data(path=str(tmp_path / "events.tsv")).frame["item_id"].to_list() == ['a"b', '"c']


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"user_id": [1.0, float("nan")], "item_id": [1, 2]}, "row 2: user_id is empty"),
        ({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [[1], [2]]}, "'timestamp' is of type List"),
    ],
)
def test_bad_columns_of_a_frame(events, message):
    with pytest.raises(DataError, match=message):
        events_from(pl.DataFrame(events))


def test_ragged_lines_are_named_where_the_separator_has_two_characters(tmp_path):
    (tmp_path / "events.dat").write_text("1::2::3\n1::3::4::5\n")
    with pytest.raises(DataError, match=r"line 2 has 4 fields, but line 1 has 3"):
        read_data(path=str(tmp_path / "events.dat"))


def test_a_recbole_folder_brings_its_side_tables(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    written(tmp_path, "inter").rename(folder / "shop.inter")
    (folder / "shop.item").write_text("item_id:token\ttitle:token_seq\n10\tLamp\n20\tChair\n")
    events = read_data(path=str(folder))
    assert events.items.rows() == [(10, "Lamp"), (20, "Chair")]
    assert events.name == "shop"


def test_a_file_without_a_header_has_columns_in_the_usual_order(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("7,8\n7,9\n8,8\n")
    assert read_data(path=str(path)).frame.rows() == [(7, 8), (7, 9), (8, 8)]


def test_columns_are_mapped_by_name_and_by_position(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("sku,when,uid\na,5,1\nb,6,1\n")
    expected = [(1, "a", 5), (1, "b", 6)]
    assert read_data(path=str(path), columns={"user": "uid", "item": "sku", "time": "when"}).frame.rows() == expected
    assert read_data(path=str(path), columns={"user": 2, "item": 0, "time": 1}).frame.rows() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("user_id,item_id\n", "holds no events"),
        ("user,item_id\n1,2\n", "no column 'user_id'; did you mean user?"),
        ("user_id,item_id,timestamp\n1,2,5\n1,3,soon\n", "line 3: timestamp is 'soon'; expected a number"),
        ("user_id,item_id,timestamp\n1,2,5\n1,3,\n", "line 3: timestamp is empty"),
        ("user_id,item_id\n1,2\n,3\n", "line 3: user_id is empty"),
        ("user_id,item_id,timestamp\n1,2,3\n1,2,3,4\n", "line 3 has 4 fields, but line 1 has 3"),
        ("user_id,item_id,timestamp\n1,2,3\n1,2\n", "line 3 has 2 fields, but line 1 has 3"),
        ("user_id\n1\n", "one column"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / "events.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_data(path=str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.parquet", b"PAR1 cut", "not a readable Parquet"),
        ("events.jsonl", b'{"user_id": 1,', "not a JSON object"),
        ("events.xls", b"whatever", "unknown extension"),
    ],
)
def test_damaged_and_unknown_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_data(path=str(tmp_path / name))


def test_a_missing_file_and_contradictory_sources(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_data(path=str(tmp_path / "no.csv"))
    with pytest.raises(ConfigError, match=r"either data\.source"):
        read_data(path="a.csv", source="ml-100k")
    with pytest.raises(ConfigError, match="did you mean gowalla"):
        read_data(source="gowala")


def test_a_set_that_was_not_fetched_says_how(tmp_path, monkeypatch):
    monkeypatch.setenv("RECPAIR_DATA", str(tmp_path))
    with pytest.raises(DataError, match="recpair data fetch ml-1m"):
        read_data(source="ml-1m")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((10, 10), r"line 3: item_id 10 occurs twice"),
        ((110, 120), r"i\.csv: no item_id is among the events' \(here 110, there 10\)"),
    ],
)
def test_side_tables_have_the_ids_of_the_events_once_each(tmp_path, ids, message):
    events, items = tmp_path / "e.csv", tmp_path / "i.csv"
    EVENTS.write_csv(events)
    items.write_text("item_id,title\n{},Lamp\n{},Chair\n".format(*ids))
    with pytest.raises(DataError, match=message):
        read_data(path=str(events), items=str(items))


def test_objects_in_memory_give_the_same_interactions(tmp_path):
    from_polars = Interactions.from_polars(EVENTS)
    from_pandas = Interactions.from_pandas(EVENTS.to_pandas())
    from_file = Interactions.read(written(tmp_path, "csv"))
    for other in (from_pandas, from_file):
        assert other.to_polars().equals(from_polars.to_polars())
    assert from_polars.vocabulary.users.values.to_list() == ["u1", "u2", "u3"]
    assert from_polars.to_polars()["item_id"].to_list() == [10, 20, 10, 30]


def test_a_sparse_matrix_is_its_non_zero_entries():
    matrix = sp.csr_array(np.array([[0, 2, 0], [1, 0, 3]]))
    interactions = Interactions.from_scipy(matrix)
    assert interactions.user.tolist() == [0, 1, 1]
    assert interactions.item.tolist() == [1, 0, 2]
    assert interactions.rating.tolist() == [2, 1, 3]
    assert interactions.to_scipy().toarray().tolist() == [[0, 1, 0], [1, 0, 1]]


def test_a_frame_of_another_kind_is_refused():
    with pytest.raises(DataError, match="expected a polars or pandas frame"):
        events_from([1, 2, 3])


def test_pandas_with_a_null_id_names_the_row():
    with pytest.raises(DataError, match="row 2: item_id is empty"):
        events_from(pd.DataFrame({"user_id": [1, 1], "item_id": ["a", None]}))


def test_a_matrix_and_interactions_are_events():
    matrix = sp.csr_array(np.array([[1.0, 0.0], [2.0, 3.0]]))
    from_matrix = events_from(matrix).frame
    assert from_matrix.select("user_id", "item_id").rows() == [(0, 0), (1, 0), (1, 1)]
    assert events_from(Interactions.from_scipy(matrix)).frame.equals(from_matrix)


def test_a_pandas_column_of_mixed_types_is_an_error_that_says_so():
    frame = pd.DataFrame({"user_id": [1, "x"], "item_id": ["a", "b"]})
    with pytest.raises(DataError, match="mixed types"):
        events_from(frame)


GAPS = pl.DataFrame(
    {"user_id": ["a", None, "b", "", "c"], "item_id": [1, 2, None, 4, 5], "timestamp": [5, 6, 7, None, 9]}
)


def test_rows_that_lack_a_value_are_all_counted_and_may_be_left_out(tmp_path):
    GAPS.write_csv(tmp_path / "events.csv")
    counted = r"3 of 5 events lack a value \(user_id 2, item_id 1, timestamp 1\)"
    with pytest.raises(DataError, match=rf"line 3: user_id is empty; {counted}"):
        read_data(path=str(tmp_path / "events.csv"))
    for events in (
        read_data(path=str(tmp_path / "events.csv"), on_missing="drop"),
        events_from(GAPS, on_missing="drop"),
    ):
        assert events.frame.rows() == [("a", 1, 5), ("c", 5, 9)]
        assert any("3 of 5 events lack a value" in note and "left out" in note for note in events.notes)
    with pytest.raises(DataError, match="leaves none"):
        events_from(GAPS.filter(pl.col("item_id").is_null()), on_missing="drop")


def test_ratings_that_nothing_uses_may_have_gaps():
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": ["4", "good"]})
    events = events_from(frame)
    assert events.frame["rating"].is_nan().to_list() == [False, True]
    assert "1 of 2 events have no rating" in events.notes[0]
    with pytest.raises(DataError, match=r"row 2: rating is 'good'; filter\.min_rating needs a number"):
        filter_events(events, min_rating=3)
    with pytest.raises(DataError, match=r"row 2: rating is 'good'; expected a number"):
        events_from(frame, {"rating": "rating"})
    assert "rating" not in events_from(frame.with_columns(rating=pl.lit("good"))).frame.columns
    assert "rating" not in events_from(frame.with_columns(rating=pl.concat_list(pl.lit(1)))).frame.columns


@pytest.mark.parametrize(("weight", "shown"), [(0.0, "0"), (-1.0, "-1"), (float("inf"), "inf")])
def test_weights_are_read_where_they_are_named_and_above_0(weight, shown):
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "weight": [2.0, weight]})
    assert "weight" not in events_from(frame).frame.columns
    assert events_from(frame[:1], {"weight": "weight"}).frame["weight"].to_list() == [2.0]
    with pytest.raises(DataError, match=f"row 2: weight is {shown}; expected a weight above 0"):
        events_from(frame, {"weight": "weight"})


def test_interactions_keep_their_weights_and_fractions_of_time():
    frame = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [0.5, 0.25], "weight": [2.0, 3.0]})
    once = Interactions.from_polars(frame, columns={"weight": "weight"})
    again = Interactions.from_polars(events_from(once).frame, columns={"weight": "weight"})
    assert once.item.tolist() == again.item.tolist() == [1, 0]
    assert once.weight.tolist() == again.weight.tolist() == [3.0, 2.0]


@pytest.mark.parametrize("folder", ["split=train", "nested/a=1/split=train", "plain"])
def test_partitioned_folders_are_read_with_their_columns(tmp_path, folder):
    for label in ("train", "test"):
        part = tmp_path / folder.replace("train", label) / f"{label}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        EVENTS.write_parquet(part)
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "x.parquet").write_bytes(b"half")
    frame = read_data(path=str(tmp_path)).frame
    assert len(frame) == 8
    if "split" in folder:
        assert frame["split"].value_counts().sort("split").rows() == [("test", 4), ("train", 4)]


def test_partitions_may_name_users_and_have_escaped_or_no_values(tmp_path):
    for value, n in (("a%20b", 1), ("__HIVE_DEFAULT_PARTITION__", 2)):
        part = tmp_path / f"user_id={value}" / "x.parquet"
        part.parent.mkdir()
        pl.DataFrame({"item_id": range(n)}).write_parquet(part)
    assert read_data(path=str(tmp_path), on_missing="drop").frame.rows() == [("a b", 0)]
    with pytest.raises(DataError, match="2 of 3 events lack a value"):
        read_data(path=str(tmp_path))


def test_only_columns_with_a_role_are_read(tmp_path):
    path = tmp_path / "wide.parquet"
    EVENTS.with_columns(other=pl.lit("x")).write_parquet(path)
    assert read_data(path=str(path)).frame.columns == EVENTS.columns
    assert read_data(path=str(path), columns={"user": 4}).frame["user_id"].to_list() == ["x"] * 4


ODD = {
    "objects as ids": pl.DataFrame({"user_id": pl.Series([object()] * 2), "item_id": [1, 2]}),
    "lists as ids": pl.DataFrame({"user_id": [[1], [2]], "item_id": [1, 2]}),
    "structs as ids": pl.DataFrame({"user_id": [{"a": 1}, {"a": 2}], "item_id": [1, 2]}),
    "dates as ids": pl.DataFrame({"user_id": [datetime.date(2024, 1, 1)] * 2, "item_id": [1, 2]}),
    "binary": pl.DataFrame({"user_id": [b"\xff", b"a"], "item_id": [1, 2]}),
    "nulls": pl.DataFrame({"user_id": [None, None], "item_id": [1, 2]}),
    "no rows": EVENTS.head(0),
    "no columns": pl.DataFrame(),
    "no columns in pandas": pd.DataFrame(),
    "two columns of a name": pd.DataFrame([[1, 2, 3]], columns=["user_id", "item_id", "item_id"]),
    "levels of names": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("user_id", "a"), ("item_id", "b")])),
    "mixed types": pd.DataFrame({"user_id": [1, "x"], "item_id": ["a", "b"]}),
    "objects in pandas": pd.DataFrame({"user_id": [object(), object()], "item_id": [1, 2]}),
    "names that are numbers": pd.DataFrame([[1, 2]]),
    "durations as times": EVENTS.with_columns(timestamp=pl.duration(seconds=1)),
    "a lazy frame without its file": pl.scan_parquet("nowhere.parquet"),
    "complex numbers": sp.csr_array(np.array([[1j, 0], [0, 2]])),
    "infinite values": sp.csr_array(np.array([[np.inf, 0], [0, 2]])),
    "a list": [1, 2, 3],
    "a series": pd.Series([1]),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_frames_are_refused_in_one_line(kind):
    with pytest.raises(DataError) as caught:
        events_from(ODD[kind])
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_unused_columns_of_pandas_may_be_of_any_type():
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "extra": [1, "x"], 5: [object(), None]})
    assert events_from(frame).frame.rows() == [(1, "a"), (2, "b")]
    assert events_from(pd.DataFrame([[1, 2]]), {"user": 0, "item": 1}).frame.rows() == [(1, 2)]


@pytest.mark.parametrize("kind", ["objects as ids", "two columns of a name", "mixed types"])
def test_odd_side_tables_are_refused_in_one_line(kind):
    with pytest.raises(DataError) as caught:
        events_from(EVENTS, users=ODD[kind])
    assert "\n" not in str(caught.value)


def test_json_lines_are_numbered_through_blank_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"user_id": 1, "item_id": "a"}\n\n{"user_id": null, "item_id": "b"}\n')
    with pytest.raises(DataError, match="line 3: user_id is empty"):
        read_data(path=str(path))


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        ([2**70, 1], [str(2**70), "1"]),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]),
        (pd.Categorical([7, 8]), [7, 8]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.array(["1", "b"], dtype="string"), ["1", "b"]),
        (np.array([2**63, 1], dtype=np.uint64), [str(2**63), "1"]),
        ([1.0, 2.0], [1, 2]),
    ],
)
def test_pandas_columns_of_many_types_are_ids(ids, read):
    assert events_from(pd.DataFrame({"user_id": ids, "item_id": [1, 2]})).frame["user_id"].to_list() == read


@pytest.mark.parametrize(
    ("first", "second", "read"),
    [("1", '"a"', ["1", "a"]), ("1.0", "2", [1, 2]), ("18446744073709551615", "2", [str(2**64 - 1), "2"])],
)
def test_ids_of_several_types_in_json_lines_keep_their_values(tmp_path, first, second, read):
    path = tmp_path / "events.jsonl"
    path.write_text(f'\ufeff{{"user_id": {first}, "item_id": 1}}\n{{"user_id": {second}, "item_id": 2}}\n')
    assert read_data(path=str(path)).frame["user_id"].to_list() == read


def test_the_id_column_of_a_side_table_replaces_another_of_the_standard_name(tmp_path):
    (tmp_path / "events.csv").write_text("user_id,sku\n1,10\n2,20\n")
    (tmp_path / "items.csv").write_text("item_id,sku,title\n7,10,Lamp\n8,20,Chair\n")
    events = read_data(path=str(tmp_path / "events.csv"), items=str(tmp_path / "items.csv"), columns={"item": "sku"})
    assert events.items.rows() == [(10, "Lamp"), (20, "Chair")]


def test_a_side_table_needs_a_header(tmp_path):
    (tmp_path / "events.csv").write_text("user_id,item_id\n1,10\n2,20\n")
    (tmp_path / "items.csv").write_text("10,Lamp\n20,Chair\n")
    with pytest.raises(DataError, match=r"items\.csv has no column 'item_id' \(found: 10, Lamp\)"):
        read_data(path=str(tmp_path / "events.csv"), items=str(tmp_path / "items.csv"))

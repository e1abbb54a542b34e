"""Text files follow RFC 4180 at every separator; Python's csv module is the oracle."""

import bz2
import csv
import gzip
import io

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.events import read_data
from recpair.data.formats import read_table
from recpair.errors import ConfigError, DataError

CELL = st.text(st.sampled_from('a1 ,;\t|"\n'), max_size=6)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6)


def read(folder, text, name="events.csv", **options):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_data(path=str(path), **options)


@given(ROWS, st.sampled_from(",;|\t"), st.booleans(), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
def test_quoted_values_are_read_as_the_csv_module_writes_them(tmp_path_factory, rows, separator, everything, end):
    path = tmp_path_factory.getbasetemp() / "quoted.csv"
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
        writer.writerows([("user_id", "item_id", "title"), *rows])
    table = read_table(path, separator=separator, whole=True)
    assert [tuple(value or "" for value in row) for row in table.frame.rows()] == rows
    with path.open(newline="") as file:
        lines = csv.reader(file, delimiter=separator)
        starts, before = [], 0
        for _ in lines:
            starts.append(before + 1)
            before = lines.line_num
    assert [table.place(row) for row in range(len(rows))] == [f"{path} line {start}" for start in starts[1:]]


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_quotes_are_found_wherever_they_begin(tmp_path, separator):
    """After more than a megabyte without any."""
    lines = [f"u{i % 50}{separator}i{i % 999}{separator}plain title {i}" for i in range(45_000)]
    lines = [
        separator.join(("user_id", "item_id", "title")),
        *lines,
        separator.join(('"u1"', '"i1"', f'"a{separator}"')),
    ]
    frame = read(tmp_path, "\n".join(lines) + "\n").frame
    assert (frame["user_id"].n_unique(), frame["item_id"].n_unique()) == (50, 999)


def test_blank_lines_carriage_returns_and_a_byte_order_mark(tmp_path):
    text = "\r\n\ufeff".encode()[2:] + b'user_id,item_id\r\n\r\n1,a\r\n\r\n2,"b\r\n\r\nb"\r\n\r\n'
    events = read(tmp_path, text)
    assert events.frame.rows() == [(1, "a"), (2, "b\r\n\r\nb")]
    assert read(tmp_path, b"user_id,item_id\r1,a\r").frame.rows() == [(1, "a")]


def test_lines_are_counted_through_quoted_newlines_and_blank_lines(tmp_path):
    with pytest.raises(DataError, match="line 6: item_id is empty"):
        read(tmp_path, 'user_id,item_id\n1,"a\nb"\n\n\n2,\n')
    with pytest.raises(DataError, match="line 5 has 3 fields, but line 1 has 2"):
        read(tmp_path, 'user_id,item_id\n1,"a\nb"\n\n2,3,4\n')
    with pytest.raises(DataError, match="line 4 is not UTF-8"):
        read(tmp_path, b'user_id,item_id\n1,"a\nb"\n2,\xff\n')
    with pytest.raises(DataError, match="zero bytes"):
        read(tmp_path, "user_id,item_id\n1,2\n".encode("utf-16"))


@pytest.mark.parametrize("wrong", ['2,"b" c\n3,d\n', '2,"b\n3,c\n'])
def test_quotes_that_do_not_enclose_a_value_are_named_or_are_text(tmp_path, wrong):
    text = "user_id,item_id\n1,a\n" + wrong
    with pytest.raises(DataError, match="line 3 has a quote that does not enclose"):
        read(tmp_path, text)
    events = read(tmp_path, text.replace(",", "\t"), "events.tsv")
    assert events.frame["item_id"].to_list() == [line.split(",")[1] for line in text.splitlines()[1:]]
    assert any("quotes are read as text" in note for note in events.notes)
    assert read(tmp_path, 'user_id,item_id\n1,5" disk\n2,b\n').frame["item_id"].to_list() == ['5" disk', "b"]


def test_a_separator_of_several_characters_splits_without_quotes(tmp_path):
    assert read(tmp_path, '1::"a::5\n1::b"::4\n', "ratings.dat").frame["item_id"].to_list() == ['"a', 'b"']
    assert read(tmp_path, "user_id§item_id\n1§2\n", separator="§").frame.rows() == [(1, 2)]
    with pytest.raises(ConfigError, match=r"data\.separator"):
        read(tmp_path, "user_id,item_id\n1,2\n", separator="")


def test_the_separator_is_the_one_that_divides_every_line_alike(tmp_path):
    text = 'user_id;item_id;"a, b"\n1;2;x, y\n3;4;z\n'
    assert read(tmp_path, text).frame.rows() == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("text", "options", "events", "said"),
    [
        ("u1,a\nu1,b\nu2,a\n", {"columns": {"user": 0, "item": 1}}, 3, "line 1 (u1, a) is read as an event"),
        ("user,item\nu1,a\nu2,b\n", {"columns": {"user": 0, "item": 1}, "header": True}, 2, None),
        ("who,what,when\nu1,a,5\nu2,b,6\n", {"columns": {"user": 0, "item": 1}}, 2, "numbers or dates stand below"),
        ("u1,a,2024-01-01\nu2,b,2024-01-02\n", {"columns": {"user": 0, "item": 1, "time": 2}}, 2, "as an event"),
        ("0,1,2\nu1,a,5\nu2,b,6\n", {"columns": {"user": 0, "item": 1}}, 2, "words stand below"),
        ("0,1,2\nu1,a,5\nu2,b,6\n", {"columns": {"user": 0, "item": 1}, "header": False}, 3, None),
        ("7,8\n7,9\n8,8\n", {}, 3, "line 1 (7, 8) holds a number or date and is read as an event"),
        ("user_id,item_id\n7,9\n8,8\n", {}, 2, None),
        ("uid,item_id\n7,9\n8,8\n", {"columns": {"user": "uid"}}, 2, None),
    ],
)
def test_the_first_line_is_a_header_or_an_event_and_a_guess_is_said(tmp_path, text, options, events, said):
    found = read(tmp_path, text, **options)
    assert len(found) == events
    notes = [note for note in found.notes if "line 1" in note]
    assert (said is None and not notes) or (said is not None and said in notes[0])


def test_words_without_a_role_are_refused_with_what_line_1_holds(tmp_path):
    with pytest.raises(DataError, match=r"no column 'user_id' \(found: u1, a\).* set data\.header: false"):
        read(tmp_path, "u1,a\nu2,b\n")


@pytest.mark.parametrize("ending", ["gz", "zst", "bz2"])
@pytest.mark.parametrize("name", ["events.csv", "events.tsv", "events.jsonl", "events.inter"])
def test_packed_files_are_read(tmp_path, ending, name):
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]})
    content = {
        "events.csv": frame.write_csv(),
        "events.tsv": frame.write_csv(separator="\t"),
        "events.jsonl": frame.write_ndjson(),
        "events.inter": "user_id:token\titem_id:token\n1\ta\n2\tb\n",
    }[name].encode()
    packed = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
    }[ending](content)
    events = read(tmp_path, packed, f"{name}.{ending}")
    assert events.frame.rows() == [(1, "a"), (2, "b")]
    with pytest.raises(DataError, match="cannot be read as"):
        read(tmp_path, content, f"{name}.{ending}")
    with pytest.raises(DataError, match="cannot be read as"):
        read(tmp_path, packed[:-9], f"{name}.{ending}")


def test_a_wide_file_is_read_in_seconds(tmp_path):
    names = ["user_id", "item_id", *(f"c{i}" for i in range(100_000))]
    text = io.StringIO()
    print(",".join(names), file=text)
    for user in range(4):
        print(",".join([str(user), str(user % 2), *["1"] * 100_000]), file=text)
    assert len(read(tmp_path, text.getvalue())) == 4
    with pytest.raises(DataError, match="names column 'c7' twice"):
        read(tmp_path, text.getvalue().replace("c8", "c7", 1))
    with pytest.raises(DataError, match="and 99,994 more") as caught:
        read(tmp_path, text.getvalue().replace("user_id", "uid", 1))
    assert len(str(caught.value)) < 400


def test_the_third_of_three_columns_without_names_is_a_time_if_it_looks_like_one(tmp_path):
    assert read(tmp_path, "1,2,1388534400\n2,3,1388534401\n").frame.columns == ["user_id", "item_id", "timestamp"]
    assert read(tmp_path, "1,2,2024-01-01\n2,3,2024-01-02\n").frame.columns == ["user_id", "item_id", "timestamp"]
    events = read(tmp_path, "1,2,4.5\n2,3,5\n")
    assert events.frame.columns == ["user_id", "item_id", "rating"]
    assert "of the columns user_id, item_id, rating" in events.notes[0]


def test_words_for_no_value_are_missing_among_integers_and_ids_among_text(tmp_path):
    text = "user_id,item_id,timestamp\n1,a,5\nNULL,NaN,6\n2,b,NULL\n,c,7\n"
    with pytest.raises(DataError, match=r"line 3: user_id is empty; 3 of 4 .*user_id 2, timestamp 1"):
        read(tmp_path, text)
    assert read(tmp_path, text, on_missing="drop").frame.rows() == [(1, "a", 5)]
    notes = read(tmp_path, text, on_missing="drop").notes
    assert any("line 3: item_id is 'NaN', which is read as an id (1 events)" in note for note in notes)

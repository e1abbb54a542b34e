"""Event files, side tables and lists of users in every format, damaged in every way that exports and editors know."""

import gzip
import io
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import recpair
from recpair.boundary import boundary
from recpair.data.events import read_data
from recpair.experiment import overview
from recpair.run.batch import read_users

HEADER = ["user_id", "item_id", "timestamp"]
ROWS = [
    [str(user), str(item), str(1000 + 10 * at)] for user in range(8) for at, item in enumerate(range(user, user + 5))
]


def text(rows: list[list[str]], separator: str = ",", end: str = "\n") -> bytes:
    return "".join(separator.join(row) + end for row in rows).encode("utf-8", "surrogatepass")


def with_field(row: int, column: int, value: str) -> list[list[str]]:
    rows = [HEADER, *[list(r) for r in ROWS]]
    rows[row][column] = value
    return rows


FIELDS = [
    "", " ", "x", "1.0", "1e3", "-1", "00", "nan", "inf", "NaT", "null", "None", "true", "99999999999999999999", "9" * 400,
    "x" * 100_000, '"', '""', '"a,b"', '"a\nb"', "'a'", "\0", "\x1b[31m", "\ud800", "é", "😀", "a;b", "a\tb", "#", "[/x]",
    "2020-01-01", "01/02/2020", "2020-01-01T00:00:00Z", "2020-02-30", "1970", "1.5", "0x10", "１",
]  # fmt: skip
TABLES: dict[str, bytes] = {
    f"field {value[:12]!r} in {HEADER[column]}, row {row}": text(with_field(row, column, value))
    for value, column, row in product(FIELDS, range(3), (1, 20))
}
TABLES |= {
    f"header {names!r}": text([names, *ROWS])
    for names in (
        [], [""], ["user_id"], ["user_id", "user_id", "timestamp"], ["a", "b", "c"], ["1", "2", "3"], ["USER", "ITEM", "TIME"],
        ["user_id", "item_id", ""], [" user_id", "item_id ", "timestamp"], ["\ufeffuser_id", "item_id", "timestamp"],
        ["user_id:token", "item_id:token", "timestamp:float"], ["x" * 10_000, "item_id", "timestamp"],
    )
}  # fmt: skip
GOOD = text([HEADER, *ROWS])
TABLES |= {
    "good": GOOD, "nothing": b"", "a newline": b"\n", "newlines": b"\n" * 1000, "spaces": b"   ", "header alone": text([HEADER]),
    "one row": text([HEADER, ROWS[0]]), "no header": text(ROWS), "CRLF": text([HEADER, *ROWS], end="\r\n"),
    "CR": text([HEADER, *ROWS], end="\r"), "UTF-16": GOOD.decode().encode("utf-16"), "UTF-32": GOOD.decode().encode("utf-32"),
    "BOM": b"\xef\xbb\xbf" + GOOD, "latin-1": GOOD.replace(b"\n3,", "\né,".encode("latin-1")), "no last newline": GOOD[:-1],
    "cut": GOOD[: len(GOOD) // 2], "noise": random.Random(1).randbytes(5000), "zeros": bytes(5000), "gzip": gzip.compress(GOOD),
    "cut gzip": gzip.compress(GOOD)[:-9], "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100), "HTML": b"<html><body>404</body></html>",
    "JSON": b'[{"user_id": 1, "item_id": 2}]', "a pickle": b"\x80\x04\x95\x00\x00.", "SQLite": b"SQLite format 3\x00" + bytes(84),
    "semicolons": text([HEADER, *ROWS], ";"), "tabs": text([HEADER, *ROWS], "\t"), "pipes": text([HEADER, *ROWS], "|"),
    "colons": text([HEADER, *ROWS], "::"), "spaces between": text([HEADER, *ROWS], " "), "control": text([HEADER, *ROWS], "\x01"),
    "ragged": text([HEADER, *[row[: 1 + i % 4] for i, row in enumerate(ROWS)]]),
    "more fields": text([HEADER, *[r * 2 for r in ROWS]]),
    "trailing separator": text([HEADER, *ROWS], end=",\n"), "comment": b"# exported\n" + GOOD, "blank first line": b"\n" + GOOD,
    "500 columns": text([[*HEADER, *[f"f{i}" for i in range(500)]], *[row + ["0"] * 500 for row in ROWS]]),
    "an open quote": GOOD.replace(b"\n3,", b'\n"3,', 1),
    "quotes everywhere": text([[f'"{f}"' for f in r] for r in [HEADER, *ROWS]]),
    "equal rows": text([HEADER, *[ROWS[0]] * 40]), "one user": text([HEADER, *[["1", *row[1:]] for row in ROWS]]),
}  # fmt: skip
FRAMES: dict[str, Any] = {
    "lists": [[1], [2]], "structs": [{"a": 1}, {"a": 2}], "binary": [b"x", b"y"], "bools": [True, False], "nulls": [None, None],
    "floats": [1.5, 2.0], "nan": [float("nan"), 1.0], "inf": [float("inf"), 1.0], "text": ["a", "b"], "empty text": ["", " "],
}  # fmt: skip


def parquet(values: list[Any], column: str) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({name: values if name == column else [1, 2] for name in HEADER}).write_parquet(buffer)
    return buffer.getvalue()


PARQUET = {f"{name} in {column}": parquet(values, column) for (name, values), column in product(FRAMES.items(), HEADER)}
LINES = {
    "good": b'{"user_id": 1, "item_id": 2}\n{"user_id": 2, "item_id": 1}\n', "a list": b"[1]\n", "a number": b"3\n",
    "cut": b'{"user',
    "mixed": b'{"user_id": 1, "item_id": 2}\n{"user_id": "a", "item_id": [1]}\n', "null": b"null\n",
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "other keys": b'{"user_id": 1, "item_id": 2}\n{"x": 1}\n',
    "a large number": b'{"user_id": ' + b"9" * 5000 + b', "item_id": 1}\n',
    "NaN": b'{"user_id": NaN, "item_id": 1}\n', "twice": b'{"user_id": 1, "user_id": 2, "item_id": 1}\n',
    "blank lines": b"\n\n\n",
}  # fmt: skip
CASES: list[tuple[str, str, bytes]] = [
    *((ending, name, content) for ending in ("csv",) for name, content in TABLES.items()),
    *((ending, name, TABLES[name]) for ending in ("tsv", "txt", "dat", "inter", "csv.gz", "parquet", "jsonl", "xlsx", "")
      for name in list(TABLES)[-45:]),
    *(("parquet", name, content) for name, content in PARQUET.items()),
    *(("jsonl", name, content) for name, content in LINES.items()),
]  # fmt: skip
READERS: dict[str, Callable[[str], Any]] = {
    "describe": lambda path: overview.describe(path),
    "read": lambda path: recpair.Interactions.read(path),
    "items": lambda path: boundary(read_data)(path="good.csv", items=path),
    "users": lambda path: boundary(read_users)(Path(path)),
}


def label(case: tuple[str, str, bytes]) -> str:
    return f".{case[0]} {case[1]}"


@pytest.mark.parametrize("reader", READERS)
def test_files(verdict, chosen, reader):
    assert len(CASES) >= 150
    Path("good.csv").write_bytes(GOOD)
    found = []
    for number, case in enumerate(chosen(CASES, 80, label)):
        path = Path(f"file-{number}.{case[0]}".rstrip("."))
        path.write_bytes(case[2])
        found.append(verdict(f"{reader} {label(case)}", lambda path=path: READERS[reader](str(path))))
    assert not (problems := "\n".join(filter(None, found))), problems


def test_places_that_are_no_files(verdict):
    Path("folder").mkdir()
    Path("loop.csv").symlink_to("loop.csv")
    Path("dangling.csv").symlink_to("nothing.csv")
    Path("folder.csv").mkdir()
    (Path("folder.csv") / "x.csv").write_bytes(GOOD)
    places = [
        "",
        ".",
        "folder",
        "folder.csv",
        "loop.csv",
        "dangling.csv",
        "\0",
        "x" * 5000,
        "/dev/null",
        "/dev/zero",
        "a*.csv",
    ]
    found = [verdict(f"{name} {p[:9]!r}", lambda p=p, f=f: f(p)) for (name, f), p in product(READERS.items(), places)]
    assert not (problems := "\n".join(filter(None, found))), problems

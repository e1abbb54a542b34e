"""A path is a name and never a pattern."""

import ast
from pathlib import Path

import polars as pl
import pytest

from recpair.data.events import read_data
from recpair.data.vocabulary import Ids
from recpair.run.batch import read_users
from recpair.semantics.encoders.vector_file import VectorFile

PACKAGE = Path(__file__).parents[2] / "recpair"
NAMES = ("a[1]", "a*", "a?", "a b %20", "ä😀", "a{1,2}")
EVENTS = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4]})


@pytest.mark.parametrize("name", NAMES)
def test_special_characters_name_one_file(tmp_path, name):
    """Beside each file is another one that the pattern would match."""
    other, folder = EVENTS.head(1), tmp_path / name
    for place, frame in ((tmp_path / "a1", other), (folder, EVENTS)):
        place.mkdir()
        for stem, written in (("a1", other), (name, frame)):
            written.write_csv(place / f"{stem}.csv")
            written.write_ndjson(place / f"{stem}.jsonl")
            written.write_parquet(place / f"{stem}.parquet")
            written.with_columns(vector=pl.concat_list(pl.lit(1.0))).write_parquet(place / f"{stem}.vectors")
    for ending in ("csv", "jsonl", "parquet"):
        assert len(read_data(path=str(folder / f"{name}.{ending}"))) == 2
        assert len(read_users(folder / f"{name}.{ending}")) == 2
    for beside in folder.glob("a1.*"):
        beside.unlink()
    assert len(read_data(path=str(folder))) == 2
    for ending in ("csv", "jsonl", "parquet"):
        assert len(read_data(path=str(folder / f"{name}.{ending}"))) == 2
    assert VectorFile(path=str(folder / f"{name}.vectors")).read(Ids("item", pl.Series([3, 4]))).shape == (2, 1)


def test_every_read_of_a_path_says_that_it_is_no_pattern():
    """``glob=False``; JSON lines have no such option, so their bytes are read."""
    readers = {"read_csv", "read_parquet", "scan_csv", "scan_parquet", "scan_ipc", "read_ipc", "read_parquet_schema"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in readers and ast.unparse(node.func.value) == "pl":
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("glob") == "False", f"{path}:{node.lineno}"
            if node.func.attr in {"read_ndjson", "scan_ndjson"}:
                assert ast.unparse(node.args[0]) == "text", f"{path}:{node.lineno}"

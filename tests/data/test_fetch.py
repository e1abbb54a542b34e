"""Fetching from a local server that stands in for the homes of the data sets."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import json
import re
import threading
import zipfile

import polars as pl
import pytest

from recpair.cli import main
from recpair.data import SOURCES
from recpair.data.events import read_data
from recpair.data.fetch import _verified, fetch, pairs_checksum
from recpair.data.public import PUBLIC, PublicSet, RemoteFile
from recpair.errors import DataError


def movielens() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "1::10::5::978300760\n1::20::3::978300761\n2::10::4::978300762\n")
        archive.writestr(
            "ml-1m/movies.dat", "10::Léon: The Pro (1994)::Crime|Drama\n20::Up (2009)::Comedy\n".encode("latin-1")
        )
        archive.writestr("ml-1m/users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n")
    return out.getvalue()


def movielens_100k() -> bytes:
    out = io.BytesIO()
    flags = {"1": (5, 8), "2": (0,)}
    titles = {"1": "Amélie (Fabuleux destin) (2001)", "2": "unknown"}
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ml-100k/u.data", "1\t2\t3\t881250949\n2\t1\t5\t881250950\n2\t2\t1\t881250951\n")
        lines = [
            "|".join([item, title, "01-Jan-2001", "", "http://x", *("01"[k in flags[item]] for k in range(19))])
            for item, title in titles.items()
        ]
        archive.writestr("ml-100k/u.item", "\n".join(lines).encode("latin-1"))
        archive.writestr("ml-100k/u.user", "1|24|M|technician|85711\n2|53|F|other|T8H1N\n")
    return out.getvalue()


def beauty() -> dict[str, bytes]:
    reviews = [("A1", "B0", 5.0, 7), ("A2", "B0", 2.0, 8), ("A2", "B1", 4.0, 9)]
    keys = ("reviewerID", "asin", "overall", "unixReviewTime")
    items = [
        {"asin": "B0", "title": "It's soap", "categories": [["Beauty", "Bath"], ["Beauty", "Soap"]], "price": 3.5},
        {"asin": "B1", "categories": [["Beauty"]], "brand": "Ü"},
        {"asin": "B9", "title": "nobody's"},
    ]
    lines = "".join(json.dumps(dict(zip(keys, review, strict=True))) + "\n" for review in reviews)
    return {
        "reviews_Beauty_5.json.gz": gzip.compress(lines.encode()),
        "meta_Beauty.json.gz": gzip.compress("".join(f"{item!r}\n" for item in items).encode()),
    }


ZIP = movielens()
FILES = {
    "ml-1m.zip": ZIP,
    "ml-100k.zip": movielens_100k(),
    "train.txt": b"0 3 4 5\n1 3\n",
    "test.txt": b"0 6\n1 4 5\n",
    **beauty(),
}


def without_checksums(name: str, counts: tuple[int, int, int]) -> PublicSet:
    """A public set whose files and counts are those of the stand-ins."""
    files = tuple(RemoteFile(file.url) for file in PUBLIC[name].files)
    return dataclasses.replace(PUBLIC[name], counts=counts, files=files, pairs=None)


STAND_INS = {
    "ml-1m": dataclasses.replace(
        PUBLIC["ml-1m"],
        counts=(2, 2, 3),
        files=(RemoteFile(PUBLIC["ml-1m"].files[0].url, hashlib.md5(ZIP).hexdigest()),),
    ),
    "ml-100k": without_checksums("ml-100k", (2, 2, 3)),
    "gowalla": without_checksums("gowalla", (2, 4, 7)),
    "yelp2018": without_checksums("yelp2018", (2, 4, 7)),
    "amazon-beauty": without_checksums("amazon-beauty", (2, 2, 3)),
}


class Home:
    """A server of FILES that understands Range, and misbehaves on request."""

    def __init__(self) -> None:
        home = self
        self.files = dict(FILES)
        self.cut_after: int | None = None
        self.ignores_ranges = False
        self.sent: list[tuple[str, int, int]] = []  # file, from, bytes

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[1]
                if name not in home.files:
                    self.send_error(404)
                    return
                content, first = home.files[name], 0
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                if wanted and not home.ignores_ranges:
                    first = int(wanted[1])
                    if first >= len(content):
                        self.send_error(416)
                        return
                self.send_response(206 if first else 200)
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                body = content[first:] if home.cut_after is None else content[first : first + home.cut_after]
                home.sent.append((name, first, len(body)))
                self.wfile.write(body)

            def log_message(self, *args):
                """Stay silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def home():
    made = Home()
    yield made
    made.server.shutdown()
    made.server.server_close()


def get(name, tmp_path, home, **options):
    return fetch(name, tmp_path, mirror=home.url, known=STAND_INS, **options)


def test_movielens(tmp_path, home):
    folder = get("ml-1m", tmp_path, home)
    events = pl.read_parquet(folder / "interactions.parquet")
    assert events.rows() == [(1, 10, 5, 978300760), (1, 20, 3, 978300761), (2, 10, 4, 978300762)]
    assert events.columns == ["user_id", "item_id", "rating", "timestamp"]
    assert pl.read_parquet(folder / "items.parquet").row(0) == (10, "Léon: The Pro (1994)", ["Crime", "Drama"])
    assert pl.read_parquet(folder / "users.parquet")["zip"].to_list() == ["48067", "70072"]


def test_movielens_100k_has_the_columns_of_the_recbole_wheel(tmp_path, home):
    folder = get("ml-100k", tmp_path, home)
    events = pl.read_parquet(folder / "interactions.parquet")
    assert events.rows() == [(1, 2, 3, 881250949), (2, 1, 5, 881250950), (2, 2, 1, 881250951)]
    items, users = pl.read_parquet(folder / "items.parquet"), pl.read_parquet(folder / "users.parquet")
    assert items.rows() == [(1, "Amélie (Fabuleux destin)", "2001", "Comedy Drama"), (2, "unknown", None, "unknown")]
    assert users.rows() == [(1, "24", "M", "technician", "85711"), (2, "53", "F", "other", "T8H1N")]
    try:
        bundled = SOURCES["ml-100k"]()
    except DataError:
        return
    wheel = read_data(source="ml-100k") if bundled.rename else None
    assert wheel is None or (wheel.items.columns, wheel.users.columns) == (items.columns, users.columns)


@pytest.mark.parametrize("name", ["gowalla", "yelp2018"])
def test_adjacency_lists(tmp_path, home, name):
    events = pl.read_parquet(get(name, tmp_path, home) / "interactions.parquet")
    train = events.filter(pl.col("split") == "train").select("user_id", "item_id").rows()
    assert train == [(0, 3), (0, 4), (0, 5), (1, 3)]
    assert len(events) == 7


def test_amazon(tmp_path, home):
    folder = get("amazon-beauty", tmp_path, home)
    assert pl.read_parquet(folder / "interactions.parquet").row(2) == ("A2", "B1", 4.0, 9)
    items = pl.read_parquet(folder / "items.parquet")
    assert items.rows() == [
        ("B0", "It's soap", ["Beauty", "Bath", "Soap"], None, 3.5),
        ("B1", None, ["Beauty"], "Ü", None),
    ]


def test_a_complete_set_is_not_fetched_again(tmp_path, home):
    folder = get("ml-1m", tmp_path, home)
    requests = len(home.sent)
    assert get("ml-1m", tmp_path, home) == folder
    assert len(home.sent) == requests
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_a_cut_download_goes_on_where_it_stopped(tmp_path, home, ignores_ranges):
    home.cut_after, home.ignores_ranges = 100, ignores_ranges
    with pytest.raises(DataError, match="stopped after 100"):
        get("ml-1m", tmp_path, home)
    assert not (tmp_path / "ml-1m" / "interactions.parquet").exists()
    assert (tmp_path / "ml-1m" / "raw" / "ml-1m.zip.part").stat().st_size == 100
    home.cut_after = None
    seen = []
    get("ml-1m", tmp_path, home, report=lambda file, done, total: seen.append((file, done, total)))
    first = 0 if ignores_ranges else 100
    assert home.sent[-1] == ("ml-1m.zip", first, len(ZIP) - first)
    assert seen[-1] == ("ml-1m.zip", len(ZIP), len(ZIP))


def test_a_file_that_was_complete_but_not_renamed(tmp_path, home):
    raw = tmp_path / "ml-1m" / "raw"
    raw.mkdir(parents=True)
    (raw / "ml-1m.zip.part").write_bytes(ZIP)
    assert (get("ml-1m", tmp_path, home) / "interactions.parquet").is_file()


def test_wrong_content_is_deleted_and_named(tmp_path, home):
    home.files["ml-1m.zip"] = ZIP[:-1] + b"x"
    with pytest.raises(DataError, match=r"ml-1m\.zip has the checksum .* it was deleted"):
        get("ml-1m", tmp_path, home)
    assert not list((tmp_path / "ml-1m").rglob("*.zip"))
    home.files["ml-1m.zip"] = ZIP
    get("ml-1m", tmp_path, home)


def test_content_that_changed_since_last_time(tmp_path, home):
    folder = get("gowalla", tmp_path, home)
    (folder / "interactions.parquet").unlink()
    (folder / "raw" / "test.txt").unlink()
    home.files["test.txt"] = b"0 6\n1 4 6\n"
    with pytest.raises(DataError, match=r"test\.txt has the checksum"):
        get("gowalla", tmp_path, home)


def test_counts_that_are_not_the_published_ones(tmp_path, home):
    home.files["test.txt"] = b"0 6\n"
    with pytest.raises(DataError, match=r"gowalla has \(2, 4, 5\) users, items and interactions, expected \(2, 4, 7\)"):
        get("gowalla", tmp_path, home)
    assert not (tmp_path / "gowalla" / "interactions.parquet").exists()


def test_a_damaged_archive(tmp_path, home):
    home.files["meta_Beauty.json.gz"] = b"no gzip"
    with pytest.raises(DataError, match="is not the expected file of amazon-beauty"):
        get("amazon-beauty", tmp_path, home)


def test_no_such_file_no_such_host_no_such_set(tmp_path, home):
    del home.files["ml-1m.zip"]
    with pytest.raises(DataError, match="returned 404"):
        get("ml-1m", tmp_path, home)
    with pytest.raises(DataError, match=r"cannot reach 127\.0\.0\.1:1 "):
        fetch("ml-1m", tmp_path, mirror="http://127.0.0.1:1", known=STAND_INS)
    with pytest.raises(DataError, match="did you mean gowalla"):
        fetch("gowala", tmp_path)


def test_the_command(tmp_path, home, monkeypatch, capsys):
    monkeypatch.setattr("recpair.data.fetch.fetch.__kwdefaults__", {**fetch.__kwdefaults__, "known": STAND_INS})
    assert main(["data", "fetch", "ml-1m", "--root", str(tmp_path), "--mirror", home.url]) == 0
    assert "data.source=ml-1m" in capsys.readouterr().out
    assert main(["data", "fetch", "ml-2m", "--root", str(tmp_path)]) == 2
    assert "did you mean ml-1m" in capsys.readouterr().err
    monkeypatch.setenv("RECPAIR_DATA", str(tmp_path))
    assert main(["data", "describe", "ml-1m"]) == 0
    assert "3" in capsys.readouterr().out


@pytest.mark.parametrize(
    "mirror",
    ["x", "http://[::1", "ftp://host", "http://", "http://host:x", "http://host:99999", "http://h/path", "\0", ""],
)
def test_a_mirror_that_is_no_address(tmp_path, capsys, mirror):
    assert main(["data", "fetch", "ml-1m", "--root", str(tmp_path), "--mirror", mirror]) == 2
    assert "--mirror is " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_public_set_has_a_checksum():
    for wanted in PUBLIC.values():
        assert wanted.pairs is not None or all(file.md5 or file.blob for file in wanted.files)


def test_the_object_id_of_a_file_in_git(tmp_path):
    """``git hash-object`` of these contents."""
    path = tmp_path / "train.txt"
    path.write_bytes(b"hello\n")
    file = RemoteFile("https://home/train.txt", blob="ce013625030ba8dba906f756967f9e9ca394464a")
    assert _verified(file, path, None) == hashlib.sha256(b"hello\n").hexdigest()
    path.write_bytes(b"hello!\n")
    with pytest.raises(DataError, match="expected ce013625"):
        _verified(file, path, None)
    assert not path.exists()


def test_the_checksum_of_pairs_does_not_depend_on_their_order():
    events = pl.DataFrame({"user_id": ["b", "a", "a"], "item_id": ["x", "y", "x"]})
    assert pairs_checksum(events) == pairs_checksum(events.reverse()) == hashlib.sha256(b"a\tx\na\ty\nb\tx").hexdigest()

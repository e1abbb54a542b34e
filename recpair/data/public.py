"""Public data sets: locations of their files, and conversion to tables."""

import ast
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

YEAR = re.compile(r"(.*?)\s*\((\d{4})\)\s*")
Tables = dict[str, pl.DataFrame]  # interactions and, if known, items and users


@dataclass(frozen=True)
class RemoteFile:
    """A file on the publisher's server.

    Attributes:
        md5: published checksum.
        blob: object id of the file in the publisher's git repository, SHA-1 of ``blob <size>\\0<content>``.
    """

    url: str
    md5: str | None = None
    blob: str | None = None

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes:
        counts: published numbers of users, items and interactions, checked after conversion.
        convert: function from the folder of the raw files to tables.
        pairs: SHA-256 of the sorted (user, item) pairs, if no checksum of the files is published.
    """

    name: str
    files: tuple[RemoteFile, ...]
    counts: tuple[int, int, int]
    convert: Callable[[Path], Tables]
    pairs: str | None = None


GENRES = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def movielens_100k(raw: Path) -> Tables:
    """Ratings with tabs; films and users with ``|`` in Latin-1, genres as one flag each; the year ends the title."""
    with zipfile.ZipFile(raw / "ml-100k.zip") as archive:
        texts = {kind: archive.read(f"ml-100k/u.{kind}").decode("latin-1") for kind in ("data", "item", "user")}
    rows = {kind: [line.split("|") for line in texts[kind].split("\n") if line] for kind in ("item", "user")}
    ratings = np.array([line.split("\t") for line in texts["data"].split("\n") if line], dtype=np.int64)
    columns = ("user_id", "item_id", "rating", "timestamp")
    films = []
    for row in rows["item"]:
        dated = YEAR.fullmatch(row[1])
        title, year = (row[1], None) if dated is None else dated.groups()
        genres = " ".join(genre for genre, flag in zip(GENRES, row[-len(GENRES) :], strict=True) if flag == "1")
        films.append((int(row[0]), title, year, genres))
    users = [(int(user), *rest) for user, *rest in rows["user"]]
    return {
        "interactions": pl.DataFrame({name: ratings[:, i] for i, name in enumerate(columns)}),
        "items": pl.DataFrame(films, schema=["item_id", "title", "release_year", "genres"], orient="row"),
        "users": pl.DataFrame(users, schema=["user_id", "age", "gender", "occupation", "zip_code"], orient="row"),
    }


def movielens_1m(raw: Path) -> Tables:
    """Fields separated by ``::``, titles in Latin-1, genres separated by ``|``."""
    with zipfile.ZipFile(raw / "ml-1m.zip") as archive:
        parts = {
            name: _fields(archive.read(f"ml-1m/{name}.dat").decode("latin-1"))
            for name in ("ratings", "movies", "users")
        }
    ratings = np.array(parts["ratings"], dtype=np.int64)
    columns = ("user_id", "item_id", "rating", "timestamp")
    interactions = pl.DataFrame({name: ratings[:, i] for i, name in enumerate(columns)})
    movies = [(int(item), title, genres.split("|")) for item, title, genres in parts["movies"]]
    users = [(int(user), gender, int(age), int(job), zip_) for user, gender, age, job, zip_ in parts["users"]]
    return {
        "interactions": interactions,
        "items": pl.DataFrame(movies, schema=["item_id", "title", "genres"], orient="row"),
        "users": pl.DataFrame(users, schema=["user_id", "gender", "age", "occupation", "zip"], orient="row"),
    }


def adjacency_lists(raw: Path) -> Tables:
    """One line per user, with the user and then the items, in ``train.txt`` and ``test.txt``."""
    parts = []
    for split in ("train", "test"):
        rows = [line.split() for line in (raw / f"{split}.txt").read_text(encoding="ascii").splitlines()]
        users = np.repeat([int(row[0]) for row in rows if row], [len(row) - 1 for row in rows if row])
        items = np.array([int(item) for row in rows for item in row[1:]], dtype=np.int64)
        parts.append(pl.DataFrame({"user_id": users, "item_id": items}).with_columns(split=pl.lit(split)))
    return {"interactions": pl.concat(parts)}


def amazon_beauty(raw: Path) -> Tables:
    """Reviews as JSON lines; metadata of the reviewed items as Python literals."""
    reviews = [json.loads(line) for line in _lines(raw / "reviews_Beauty_5.json.gz")]
    columns = {"user_id": "reviewerID", "item_id": "asin", "rating": "overall", "timestamp": "unixReviewTime"}
    interactions = pl.DataFrame({ours: [review[theirs] for review in reviews] for ours, theirs in columns.items()})
    known = set(interactions["item_id"].to_list())
    items: list[dict[str, Any]] = []
    for line in _lines(raw / "meta_Beauty.json.gz"):
        entry = ast.literal_eval(line)
        if entry["asin"] in known:
            categories = list(dict.fromkeys(name for path in entry.get("categories", []) for name in path))
            rest = {key: entry.get(key) for key in ("title", "brand", "price")}
            items.append({"item_id": entry["asin"], "categories": categories, **rest})
    schema: dict[str, Any] = {"item_id": pl.String, "title": pl.String, "categories": pl.List(pl.String)}
    table = pl.DataFrame(items, schema=schema | {"brand": pl.String, "price": pl.Float64}, strict=False)
    return {"interactions": interactions, "items": table}


def _fields(text: str) -> list[list[str]]:
    return [line.split("::") for line in text.splitlines() if line]


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rb") as file, io.TextIOWrapper(file, encoding="utf-8") as text:
        yield from text


COMMIT = "947ca2b3b1d2d3545b114145710cb06c4e57b3d2"  # of March 2023; the object ids below are those of its tree
LIGHTGCN = f"https://raw.githubusercontent.com/gusye1234/LightGCN-PyTorch/{COMMIT}/data"
AMAZON = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"

PUBLIC: dict[str, PublicSet] = {
    "ml-100k": PublicSet(
        "ml-100k",
        (RemoteFile("https://files.grouplens.org/datasets/movielens/ml-100k.zip", "0e33842e24a9c977be4e0107933c0723"),),
        (943, 1_682, 100_000),
        movielens_100k,
    ),
    "ml-1m": PublicSet(
        "ml-1m",
        (RemoteFile("https://files.grouplens.org/datasets/movielens/ml-1m.zip", "c4d9eecfca2ab87c1945afe126590906"),),
        (6_040, 3_706, 1_000_209),
        movielens_1m,
    ),
    "gowalla": PublicSet(
        "gowalla",
        (
            RemoteFile(f"{LIGHTGCN}/gowalla/train.txt", blob="a27782bd7a1d4d0744148dc0460ea94da74763f2"),
            RemoteFile(f"{LIGHTGCN}/gowalla/test.txt", blob="9ed5af4b5d21511f33740b4e22e3852f45671800"),
        ),
        (29_858, 40_981, 1_027_370),
        adjacency_lists,
    ),
    "yelp2018": PublicSet(
        "yelp2018",
        (
            RemoteFile(f"{LIGHTGCN}/yelp2018/train.txt", blob="cda12361055ba448ae4bd1070f6000c16dea8f22"),
            RemoteFile(f"{LIGHTGCN}/yelp2018/test.txt", blob="30dfbc3437b27b74cb2970b435a5ec93ad9f2468"),
        ),
        (31_668, 38_048, 1_561_406),
        adjacency_lists,
    ),
    "amazon-beauty": PublicSet(
        "amazon-beauty",
        (RemoteFile(f"{AMAZON}/reviews_Beauty_5.json.gz"), RemoteFile(f"{AMAZON}/meta_Beauty.json.gz")),
        (22_363, 12_101, 198_502),
        amazon_beauty,
        pairs="22e162eebd57298835756fd6f45e09c013f3961d81e76b34821593078995bd40",
    ),
}

"""Run folders with one file damaged: as it is (the checksum says so), with a manifest that agrees, and without a manifest."""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

import recpair
from recpair.run.manifest import MANIFEST, Manifest

FILES = [
    "config.yaml", "metrics.json", "history.parquet", "model.safetensors", "vocabulary.parquet", "train.parquet",
    "audit.parquet", "per_user.parquet", "environment.json", MANIFEST,
]  # fmt: skip
SEALS = ("as it is", "resealed", "without a manifest")
JSON = (
    "3", "[]", "null", "{}", '"x"', "{", '{"test": 1}', '{"test": {"ndcg@3": NaN}}', '{"data": {"fingerprint": 3}}',
    "[" * 100_000 + "]" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"kind": "recpair run", "format": 99}',
    '{"kind": "recpair run", "format": 1, "files": 3}', '{"kind": "recpair run", "format": 1, "complete": true}',
)  # fmt: skip
YAML = (
    "3", "[]", "null", "a: [", "a: 1\na: 2", "output: 3", "model: {name: nothing}\noutput: x", "&a [*a]", "output: *x",
    "model: {name: sasrec}\noutput: x", "model: {name: mf, embedding_dim: 5}\noutput: x", "model: 3\noutput: x",
    "model: {name: recbole/NeuMF, use_pretrain: true}\noutput: x", "evaluate: {cutoffs: []}\noutput: x",
)  # fmt: skip


def bytewise(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def flipped(seed: int) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        bit = random.Random(seed).randrange(8 * len(content))
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    return flip


def column(name: str, values: Callable[[pl.DataFrame], pl.Series]) -> Callable[[Path], None]:
    """A Parquet file with one column replaced; no change where it has no such column."""

    def change(path: Path) -> None:
        frame = pl.read_parquet(path)
        if name in frame.columns:
            frame.with_columns(values(frame).alias(name)).write_parquet(path)

    return change


def instead(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


ANY = {
    "empty": bytewise(lambda content: b""),
    "half": bytewise(lambda content: content[: len(content) // 2]),
    "one byte short": bytewise(lambda content: content[:-1]),
    "zeros": bytewise(lambda content: bytes(len(content))),
    "noise": bytewise(lambda content: random.Random(0).randbytes(len(content))),
    "twice": bytewise(lambda content: content + content),
    "missing": Path.unlink,
    "a folder": instead(Path.mkdir),
    "a dangling link": instead(lambda path: path.symlink_to("nothing")),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "a link to another file": instead(lambda path: path.symlink_to("/etc/hostname")),
    **{f"bit {seed}": bytewise(flipped(seed)) for seed in range(4)},
}
PARQUET = {
    "no rows": lambda path: pl.read_parquet(path).clear().write_parquet(path),
    "no columns": lambda path: pl.DataFrame().write_parquet(path),
    "another column": lambda path: pl.DataFrame({"x": [1]}).write_parquet(path),
    "text": lambda path: (
        pl.read_parquet(path).cast(pl.String, strict=False).write_parquet(path)
        if path.name != "vocabulary.parquet"
        else pl.DataFrame({"user_id": [["a"]], "item_id": [["b"]]}).write_parquet(path)
    ),
    "the first row": lambda path: pl.read_parquet(path).head(1).write_parquet(path),
    "nulls": lambda path: pl.read_parquet(path).with_columns(pl.lit(None).alias("user")).write_parquet(path),
    "negative items": column("item", lambda frame: -frame["item"] - 1),
    "large items": column("item", lambda frame: frame["item"] + 10_000),
    "large users": column("user", lambda frame: frame["user"] + 10_000),
    "fractions": column("user", lambda frame: frame["user"] + 0.5),
    "dates": column("time", lambda frame: frame["time"].cast(pl.Datetime)),
    "flat ids": lambda path: pl.DataFrame({"user_id": [1], "item_id": [2]}).write_parquet(path),
    "too few ids": lambda path: pl.DataFrame({"user_id": [[1]], "item_id": [[2]]}).write_parquet(path),
}
TENSORS = {
    "no tensors": lambda path: save_file({}, path),
    "other tensors": lambda path: save_file({"x": np.zeros(3, np.float32)}, path),
    "not finite": lambda path: save_file(
        {f"{side}_embedding.weight": np.full((12, 4), np.nan, np.float32) for side in ("user", "item")},
        path,
    ),
    "other shape": lambda path: save_file(
        {f"{side}_embedding.weight": np.zeros((3, 4), np.float32) for side in ("user", "item")}, path
    ),
    "integers": lambda path: save_file(
        {f"{side}_embedding.weight": np.zeros((12, 4), np.int64) for side in ("user", "item")}, path
    ),
}


def changes(name: str) -> dict[str, Callable[[Path], None]]:
    """The damages that suit a file, by name."""
    texts = JSON if name.endswith(".json") else YAML if name.endswith(".yaml") else ()
    own = {f"holding {text[:30]!r}": (lambda path, text=text: path.write_text(text)) for text in texts}
    binary = PARQUET if name.endswith(".parquet") else TENSORS if name.endswith(".safetensors") else {}
    return ANY | own | binary


CASES = [(name, change, seal) for name in FILES for change, seal in product(changes(name), SEALS)]


def label(case: tuple[str, str, str]) -> str:
    return ", ".join(case)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small):
    config = {"model": {"embedding_dim": 4}, "train": {"epochs": 1}, "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}}
    folder = tmp_path_factory.mktemp("finished")
    small.write_csv(folder / "events.csv")
    data = {"path": str(folder / "events.csv")}
    return recpair.fit(config | {"data": data, "tracking": None, "output": str(folder / "run")}).folder


def damaged(finished: Path, case: tuple[str, str, str]) -> None:
    """A copy of the run in ``run`` with one file damaged."""
    name, change, seal = case
    folder = Path("run")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished, folder)
    changes(name)[change](folder / name)
    if seal == "without a manifest" and (folder / MANIFEST).is_file():
        (folder / MANIFEST).unlink()
    if seal == "resealed" and name != MANIFEST:
        manifest = Manifest.read(folder)
        assert manifest is not None
        replace(manifest, complete=False).completed(folder).write(folder)


def opened() -> None:
    """The uses of an opened run; each may be refused by itself."""
    run = recpair.load("run")
    asked = [
        lambda: run.recommend(k=3),
        lambda: run.recommend([0, 1], titles=True, k=2),
        lambda: run.similar_items([0], k=2),
        lambda: run.score([0], [1]),
        lambda: run.audit(),
        lambda: run.history,
        lambda: run.per_user,
        lambda: run._repr_html_(),
        lambda: recpair.evaluate(run),
    ]
    for ask in asked:
        try:
            ask()
        except recpair.RecpairError:
            continue


def test_the_library(finished, verdict, chosen):
    assert len(CASES) >= 40
    found = []
    for case in chosen(CASES, 100, label):
        damaged(finished, case)
        found.append(verdict(label(case), opened))
    assert not (problems := "\n".join(filter(None, found))), problems


VERBS = {
    "compare": ("compare", "run", "run", "--metric", "ndcg@3"),
    "audit": ("audit", "run", "--out", "out.csv"),
    "recommend": ("recommend", "run", "--all", "--out", "out.csv"),
    "evaluate": ("evaluate", "run"),
    "export": ("export", "run", "--out", "exported"),
    "resume": ("fit", "--config", "c.yaml", "--resume"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_line(finished, verdict, chosen, commanded, undrawn, verb):
    stored = json.loads(json.dumps(recpair.load_config(finished / "config.yaml").sections))
    Path("c.yaml").write_text(json.dumps(stored | {"output": "run"}))
    found = []
    for case in chosen(CASES, 12, label):
        damaged(finished, case)
        before = sorted(os.listdir("run"))
        found.append(verdict(f"{verb}: {label(case)}", lambda: commanded(*VERBS[verb])))
        if verb != "resume":
            assert sorted(os.listdir("run")) == before
    assert not (problems := "\n".join(filter(None, found))), problems

"""Every key of every component and every section with every hostile value: checked, then trained with where accepted."""

import datetime
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import recpair
from recpair.config import Section
from recpair.experiment.loading import load_config
from recpair.experiment.schema import SCHEMA
from recpair.registry import options

VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 3, -1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 10**5000,
    0.0, 0.5, 1.0, 1.5, -0.5, 1e-300, 5e-324, 1e-9, 1e9, 1e308, -1e308, math.inf, -math.inf, math.nan,
    "", " ", "x", "x" * 5000, "nan", "1e3", "0x10", "3", "true", "[1", "\0", "\x1b[31m", "a\nb", "ü→😀", "\ud800", "../..",
    "/dev/null", "$HOME", "${x}", "{title}", "{}", "{0.__class__}", "%s%n", "[/b]", "2020-01-01", "2020-13-41", "user_id",
    "uniform", "ndcg@10", "recall", "mf",
    [], [0], [1], [-1], [1, 2, 3], [0.8, 0.1, 0.1], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0], ["x"], [None], [[1]], [[[[]]]],
    list(range(1000)), ["ndcg", "ndcg"], [3, 3], [3, 1], {}, {"name": None}, {"name": "x"}, {"x": 1}, {"uniform": 1.0},
    {"uniform": -1, "popularity": 2}, {"uniform": 0.0}, {"uniform": 0.5, "popularity": 0.5}, {"user": "item_id"},
    {"user": 0, "item": 1}, {"user": -1}, {"time": "nothing"}, {1: 2}, {None: 1}, {"a": {"b": {"c": {}}}},
    datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 12), b"bytes", object(), {1, 2}, (1, 2), np.int64(3),
    np.float32(0.5), np.array([1, 2]), Path("x"), lambda: 0, int, 1j, range(3),
]  # fmt: skip
LONG = {"epochs", "iterations", "retries", "timeout", "concurrency"}  # more of it is more work, and that is asked for
NETWORK = {"base_url", "key_variable", "uri", "experiment", "run_name", "device"}
SEQUENCE = {"split": "leave_last", "sampler": {"name": "sequences", "batch_size": 16}}
TINY = {"embedding_dim": 4, "history_length": 4}


def keys(section: str, spec: Section) -> list[tuple[str, str | None, str]]:
    """(section, component, key) of all that a section can hold."""
    own = [(section, None, key) for function in spec.functions for key in options(function)]
    named = [(section, name, key) for name, component in (spec.choices or {}).items() for key in options(component)]
    return own + named


KEYS = [triple for section, spec in SCHEMA.items() for triple in keys(section, spec)]
CASES = [(*triple, number) for triple, number in itertools.product(KEYS, range(len(VALUES)))]
CASES += [(section, None, None, number) for section, number in itertools.product(SCHEMA, range(len(VALUES)))]


def label(case: tuple[str, str | None, str | None, int]) -> str:
    section, component, key, number = case
    return f"{section}.{component}.{key}#{number}"


def config_of(case: tuple[str, str | None, str | None, int]) -> dict[str, Any]:
    """A small config in which the value stands where the case says; the rest fits the component."""
    section, component, key, number = case
    value = VALUES[number]
    config: dict[str, Any] = {
        "model": {"name": "mf", "embedding_dim": 4},
        "train": {"epochs": 1, "device": "cpu"},
        "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"},
        "tracking": None,
        "output": "out",
    }
    if section == "contrast" or (component, section) in [
        ("sasrec", "model"),
        ("gru4rec", "model"),
        ("sequences", "sampler"),
    ]:
        config |= SEQUENCE | {"model": {"name": "sasrec", "inner_dim": 8} | TINY}
    if component == "softmax":
        config["sampler"] = {"negatives": "all"}
    if section in ("semantics", "describe"):
        config["semantics"] = {"name": "wordllama", "template": "{title}"}
    if key is None:
        return config | {section: value}
    name = {} if component is None else {"name": component}
    if section == "contrast":
        config["contrast"] = [{"name": component or "duorec", key: value}]
        if (component or "").startswith("sra_cl"):
            config["semantics"] = {"name": "file", "path": "vectors.parquet"}
        return config
    before = config.get(section) or {}
    kept = (
        before
        if name.get("name", before.get("name")) == before.get("name")
        else {
            k: v for k, v in TINY.items() if component is not None and k in options(SCHEMA[section].choices[component])
        }
    )
    needed = {"file": {"path": "vectors.parquet"}, "openai": {"model": "m"}}.get(component or "", {})
    needed |= {"describe": {"model": "m"}, "noise": {"ratio": 0.1}}.get(section, {})
    config[section] = {**needed, **kept, **name, key: value}
    if section == "evaluate" and key == "cutoffs":
        config["evaluate"]["monitor"] = None
    return config


def is_quick(case: tuple[str, str | None, str | None, int]) -> bool:
    """Whether training with the value, if it is accepted, asks for no network and no long work."""
    section, _, key, number = case
    value = VALUES[number]
    long = key in LONG and isinstance(value, int | float) and value > 3
    return not long and key not in NETWORK and section not in ("semantics", "describe", "tracking", "output", "data")


def test_every_value_is_checked(verdict, chosen):
    assert len(CASES) >= 4000
    found = [verdict(label(case), lambda case=case: load_config(config_of(case))) for case in chosen(CASES, 800, label)]
    assert not (problems := "\n".join(filter(None, found))), problems


def test_accepted_values_train(verdict, chosen, undrawn, small):
    pl.DataFrame(
        {"item_id": range(12), "vector": [[float(i == j) for j in range(4)] for i in range(12)]}
    ).write_parquet("vectors.parquet")
    accepted = []
    for case in chosen([case for case in CASES if is_quick(case)], 70, label):
        try:
            accepted.append((case, load_config(config_of(case))))
        except recpair.RecpairError:
            continue
    found = []
    for number, (case, config) in enumerate(accepted):
        output = Path(f"out-{number}")
        changed = recpair.Config(config.sections | {"output": str(output)})
        found.append(verdict(label(case), lambda changed=changed: recpair.fit(changed, data=small), [output]))
    assert not (problems := "\n".join(filter(None, found))), problems


def test_the_command_line_refuses_in_one_line(verdict, chosen, commanded, small):
    small.write_csv("events.csv")
    Path("c.yaml").write_text("data: {path: events.csv}\n")
    texts = [str(value) if not isinstance(value, int) else hex(value) for value in VALUES]
    cases = [f"{s}.{k}={t}" for (s, _, k), t in itertools.product(KEYS[::7], texts) if k not in LONG | NETWORK]
    wrong = [case for case in chosen(cases, 60, str) if _is_refused(case)]
    found = [verdict(case, lambda case=case: commanded("fit", "-c", "c.yaml", case), [Path("runs")]) for case in wrong]
    assert not (problems := "\n".join(filter(None, found))), problems


def _is_refused(assignment: str) -> bool:
    try:
        load_config("c.yaml", [assignment])
    except recpair.RecpairError:
        return True
    return False


@pytest.mark.parametrize(
    "verb", ["fit", "train", "evaluate", "recommend", "audit", "track", "export", "compare", "embed"]
)
def test_arguments_that_are_no_run_and_no_config(verdict, commanded, verb):
    Path("empty").mkdir()
    more = {"recommend": ["--all", "--out", "r.csv"], "audit": ["--out", "r.csv"], "export": ["--out", "new"]}.get(
        verb, []
    )
    values = ["nothing", "empty", "/dev/null", "", "x" * 5000, "\0", "[/b]", "a" * 32, "-", "ü😀", "runs:///x", "$x"]
    head = [verb, "--config"] if verb in ("fit", "train", "embed") else [verb]
    found = [verdict(f"{verb} {v[:20]!r}", lambda v=v: commanded(*head, v, *more), [Path("r.csv")]) for v in values]
    assert not (problems := "\n".join(filter(None, found))), problems

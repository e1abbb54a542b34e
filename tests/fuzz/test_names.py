"""Run folders with names that mean something to a shell, a pattern, Markdown, rich or matplotlib."""

import shutil
from pathlib import Path

import pytest

import recpair

NAMES = [
    "plain", "a$x^$", "$\\frac$", "$", "[b]", "[/b]", "*", "?", ":smile:", "a b", " a", "d\ne", "tab\t", "é😀", "日本", "%s{}",
    "{0}", "~", "'", '"', "#", "\\", "a\\", "&amp;", "<b>", "`x`", "|", "x" * 200, "a.partial", "a.1", "-a", "a=b", "null",
    "1e3", "\x1b[31m",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small):
    config = {"model": "popularity", "evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}, "tracking": None}
    return recpair.fit(config | {"output": str(tmp_path_factory.mktemp("names") / "run")}, data=small).folder


def test_folders_are_used_by_any_name(finished, verdict, chosen, commanded):
    found = []
    for name in chosen(NAMES, 6, str):
        folder = Path("here") / name
        shutil.copytree(finished, folder)
        both = ["compare", str(folder), str(finished), "-m", "ndcg@3", "--out", "table.csv", "--plot", "plot.png"]
        found.append(verdict(f"compare {name!r}", lambda both=both: commanded(*both)))
        found.append(
            verdict(f"recommend {name!r}", lambda f=folder: commanded("recommend", str(f), "--all", "--out", "r.csv"))
        )
        found.append(verdict(f"repr {name!r}", lambda f=folder: recpair.load(f)._repr_html_()))
    assert not (problems := "\n".join(filter(None, found))), problems


def test_outputs_of_any_name(verdict, chosen, undrawn, small):
    config = {"evaluate": {"cutoffs": [3], "monitor": "ndcg@3"}, "tracking": None, "train": {"epochs": 1}}
    found = []
    for name in chosen(NAMES, 6, str):
        given = config | {"output": f"out/{name}", "model": {"embedding_dim": 2}}
        found.append(verdict(f"fit {name!r}", lambda given=given: recpair.fit(given, data=small)))
        found.append(verdict(f"load {name!r}", lambda name=name: recpair.load(f"out/{name}").recommend(k=2)))
    assert not (problems := "\n".join(filter(None, found))), problems


def test_files_to_write(finished, verdict, commanded):
    Path("folder.csv").mkdir()
    Path("a file").write_text("")
    names = [
        "x.gif",
        "x",
        ".png",
        "",
        "folder.csv",
        "a file/x.csv",
        "/dev/full",
        "/proc/x.csv",
        "x" * 300 + ".csv",
        "\0.csv",
        "x.CSV",
    ]
    compare, recommend = (
        ["compare", str(finished), str(finished), "-m", "ndcg@3"],
        ["recommend", str(finished), "--all"],
    )
    calls = [
        [*call, name] for name in names for call in ([*compare, "--out"], [*compare, "--plot"], [*recommend, "--out"])
    ]
    found = [verdict(f"{call[0]} {call[-2]} {call[-1][:9]!r}", lambda call=call: commanded(*call)) for call in calls]
    assert not (problems := "\n".join(filter(None, found))), problems


VALUES = [
    "",
    "0",
    "-1",
    "1.5",
    "x",
    "9" * 30,
    "9" * 5000,
    "x" * 5000,
    "1,1",
    "1,,2",
    ",",
    "1,x",
    "nan",
    "\0",
    "[/b]",
    "ndcg@3",
    "ndcg",
]


def test_options(finished, verdict, chosen, commanded, small):
    small.write_csv("events.csv")
    Path("c.yaml").write_text(
        "data: {path: events.csv}\nmodel: popularity\nevaluate: {cutoffs: [3], monitor: ndcg@3}\ntracking: null\n"
    )
    recommend = ["recommend", str(finished), "--out", "r.csv"]
    options = [
        ["fit", "-c", "c.yaml", "--seeds"],
        [*recommend, "--all", "--k"],
        [*recommend, "--users"],
        [*recommend, "--all", "--on-unknown"],
        ["audit", str(finished), "--out", "r.csv", "--top"],
        ["compare", str(finished), str(finished), "--metric"],
        ["evaluate", str(finished)],
        ["data", "describe"],
        ["data", "describe", "events.csv"],
        ["data", "fetch"],
        ["data", "fetch", "ml-1m", "--mirror"],
        ["neighbours", "--config", "c.yaml", "--user"],
        ["neighbours", "--run"],
        ["export", str(finished), "--out", "new", "--format"],
        ["track", "nothing", "--uri"],
    ]
    cases = [[*option, value] for option in options for value in VALUES]
    labels = [f"{' '.join(case[:-1])[:60]} {case[-1][:12]!r}" for case in chosen(cases, 30, str)]
    found = [
        verdict(label, lambda case=case: commanded(*case))
        for label, case in zip(labels, chosen(cases, 30, str), strict=True)
    ]
    assert not (problems := "\n".join(filter(None, found))), problems

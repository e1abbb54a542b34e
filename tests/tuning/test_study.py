"""Studies: methods, equal budgets, interruptions, the report and its verdict."""

import copy
import json
import re
from unittest.mock import Mock

import polars as pl
import pytest

import recpair
from recpair.comparison.results import Results
from recpair.comparison.significance import paired
from recpair.errors import ConfigError, RecpairError
from recpair.experiment.loading import load_config
from recpair.tuning import study as studies
from recpair.tuning.duration import duration, in_words
from recpair.tuning.methods import Method, parse_methods, split_methods
from recpair.tuning.verdict import verdict

SETTINGS = {
    "split": {"name": "predefined"},
    "sampler": {"batch_size": 256},
    "model": {"name": "mf", "embedding_dim": 8, "init": "normal"},
    "terms": [{"name": "l2", "weight": 0.001}],
    "train": {"epochs": 4, "learning_rate": 0.05, "seed": 1, "checkpoint_every": 2},
    "evaluate": {"metrics": ["hit", "ndcg"], "cutoffs": [1, 5], "monitor": "ndcg@5"},
    "tracking": None,
    "study": {"methods": ["none", "pld"], "trials": 2, "n_seeds": 2, "noise": [0.0, 0.2]},
}
SAME = pl.exclude("epoch_s", "search_s")


@pytest.fixture
def settings(tmp_path):
    return copy.deepcopy(SETTINGS) | {"output": str(tmp_path / "study")}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    from recpair.testing.models import checkerboard

    folder = tmp_path_factory.mktemp("study") / "whole"
    return recpair.study(SETTINGS, [f"output={folder}"], data=checkerboard().drop("timestamp"))


def test_methods_are_split_at_commas_outside_of_brackets_and_quotes():
    text = "none, pld,weak: terms=[{name: l2, weight: 0.1}] train.epochs=3,'a, b',x.yaml"
    parts = ["none", "pld", "weak: terms=[{name: l2, weight: 0.1}] train.epochs=3", "'a, b'", "x.yaml"]
    assert split_methods(text) == parts


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("pld", Method("pld", ("denoise=pld",))),
        ("dns", Method("dns", ("hard_negatives=dns",))),
        ("hinge", Method("hinge", ("loss=hinge",))),
        ("softmax", Method("softmax", ("loss=softmax", "sampler.negatives=all"))),
        ("lightgcn", Method("lightgcn", ("model=lightgcn",))),
        ("denoise=udt", Method("denoise=udt", ("denoise=udt",))),
        ("slow: train.epochs=9 loss=bce", Method("slow", ("train.epochs=9", "loss=bce"))),
        ("configs/other.yaml", Method("other", (), "configs/other.yaml")),
    ],
)
def test_a_method_is_a_name_an_override_or_a_config(text, method, settings):
    assert parse_methods([text], load_config(settings)) == [Method("none"), method]


def test_a_term_is_added_to_the_terms_of_the_config(settings):
    _, method = parse_methods(["direct_au"], load_config(settings))
    config = load_config(settings, method.overrides)
    assert [entry["name"] for entry in config["terms"]] == ["l2", "direct_au"]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["pldd"], "did you mean pld?"),
        (["none"], "methods has only the baseline"),
        (["pld", "pld"], "methods has 'pld' twice"),
        (["a/b: loss=bce", "a-b: loss=hinge"], "methods has 'a-b' twice"),
    ],
)
def test_methods_that_are_unknown_or_repeated_are_refused(methods, message, settings):
    with pytest.raises(ConfigError) as error:
        parse_methods(methods, load_config(settings))
    assert message in str(error.value)


def test_a_name_of_two_components_is_refused_with_both_forms(settings, monkeypatch):
    monkeypatch.setitem(recpair.losses.LOSSES, "twin", recpair.losses.LOSSES["bpr"])
    monkeypatch.setitem(recpair.mining.MINERS, "twin", recpair.mining.MINERS["dns"])
    with pytest.raises(ConfigError, match="write hard_negatives=twin or loss=twin"):
        parse_methods(["twin"], load_config(settings))


def test_the_space_of_a_method_includes_that_of_the_baseline(studied):
    spaces = {name: {*record["space"]} for name, record in studied.record["searches"].items()}
    assert spaces["noise-0/pld"] > spaces["noise-0/none"]
    assert {"denoise.temperature", "train.learning_rate", "terms.0.weight"} <= spaces["noise-0/pld"]


def test_every_method_has_the_same_budget(studied):
    assert studied.results["trials"].to_list() == [2] * 4
    assert studied.results["seeds"].to_list() == [2] * 4
    assert studied.results["noise"].to_list() == [0.0, 0.0, 0.2, 0.2]
    assert studied.results["method"].to_list() == ["none", "pld"] * 2


def test_results_follow_from_the_runs_of_the_winners(studied):
    row = studied.results.row(1, named=True)
    ours, base = (Results.of(studied.folder / f"noise-0/{name}/winner").per_user["ndcg@5"] for name in ("pld", "none"))
    expected = paired(ours.to_numpy(), base.to_numpy())
    assert row["test"] == pytest.approx(ours.mean())
    assert row["difference"] == pytest.approx(expected.difference)
    assert row["difference_low"] == pytest.approx(expected.low)
    first = recpair.load(studied.folder / "noise-0/pld/winner/seed-1")
    assert first.metrics["test"]["ndcg@5"] == pytest.approx(first.per_user["ndcg@5"].mean())


def test_noise_is_added_to_the_training_part_only(studied):
    plain, noisy = (recpair.load(studied.folder / f"noise-{share}/none/winner/seed-1") for share in ("0", "0.2"))
    assert len(noisy.recommender.train) > len(plain.recommender.train)
    assert noisy.per_user["user_id"].equals(plain.per_user["user_id"])
    assert noisy.metrics["data"]["sizes"]["test_events"] == plain.metrics["data"]["sizes"]["test_events"]


def test_groups_hold_every_user_once(studied):
    groups = pl.read_csv(studied.folder / "groups.csv")
    users = groups.group_by("by", "noise", "method").agg(pl.col("users").sum())
    assert users["users"].unique().to_list() == [40]


def test_a_study_that_is_killed_many_times_equals_an_uninterrupted_one(
    settings, checkerboard, studied, killed_and_resumed
):
    again, kills = killed_and_resumed(
        lambda: recpair.study(settings, data=checkerboard, resume=True), [2, 17, 40, 60, 90, 100_000]
    )
    assert kills >= 4
    assert again.results.select(SAME).equals(studied.results.select(SAME))
    assert recpair.study(settings, data=checkerboard, resume=True).results.equals(again.results)


def test_the_pages_have_the_verdict_and_escape_labels(settings, checkerboard, tmp_path):
    methods = {"none": [], "<b>&_": ["loss=hinge"]}
    studied = recpair.study(settings, methods=methods, trials=1, n_seeds=1, noise=[0.0], data=checkerboard)
    html, tex, text = ((studied.folder / name).read_text() for name in ("report.html", "results.tex", "report.md"))
    assert "<b>&" not in html
    assert "&lt;b&gt;&amp;_" in html
    assert "\\&\\_" in tex
    assert all(sentence.split(" (")[0].split("<")[0] in text for sentence in studied.verdict)
    assert not re.search(r'(src|href)="(?!data:)', html)


def row(method, difference, p, noise=0.0, test=0.2):
    numbers = {"difference_low": difference - 0.01, "difference_high": difference + 0.01, "relative": difference / 0.2}
    return (
        {"noise": noise, "method": method, "test": test, "difference": difference, "epoch_s": 1.0}
        | numbers
        | {
            "t_test_holm": p,
            "wilcoxon_holm": p,
        }
    )


def test_the_verdict_names_the_best_of_the_reliable_methods():
    rows = [
        row("none", 0.0, None),
        row("a", 0.02, 0.01),
        row("b", 0.03, 0.2),
        row("c", -0.02, 0.01),
        row("d", 0.01, 0.04),
    ]
    said = verdict(pl.DataFrame(rows), "ndcg@10")
    assert said[0].startswith("Use a: ndcg@10 0.2000 instead of 0.2000 (+0.0200, +10.0%")
    assert "d is also better" in said[0]
    assert said[1:] == ["C is reliably worse than none.", "For b the difference from none may be chance."]


def test_the_verdict_keeps_the_baseline_if_nothing_is_reliable():
    rows = [row("none", 0.0, None, 0.2), row("a", 0.02, 0.3, 0.2)]
    assert verdict(pl.DataFrame(rows), "ndcg@10")[0].startswith("With 20% added noise: keep none (ndcg@10 0.2000)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": []}, "methods is missing"),
        ({"trials": 3, "budget": "5m"}, "trials and budget are both given"),
        ({"budget": "soon"}, "budget is 'soon'; expected a time such as 90s, 30m or 2h"),
        ({"noise": [0.1, 0.1]}, "expected distinct shares"),
        ({"noise": [-1]}, "noise"),
        ({"methods": ["pld", "loss=nothing"]}, "method loss=nothing: loss.name: unknown name 'nothing'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(settings, checkerboard, tmp_path, options, message):
    if "budget" in options and "trials" not in options:
        settings["study"].pop("trials")
    with pytest.raises(RecpairError) as error:
        recpair.study(settings, data=checkerboard, **options)
    assert message in str(error.value)
    assert not (tmp_path / "study").exists()


@pytest.fixture
def budgeted(settings, monkeypatch):
    """A study of two methods within ten seconds, whose first trials count as one second each."""
    monkeypatch.setattr(studies, "_first_trial", lambda *args: (studies._search(*args, until=1), 1.0)[1])
    settings["study"] |= {"trials": None, "budget": "10s", "methods": ["hinge"], "noise": [0.0], "n_seeds": 1}
    return settings


def test_a_budget_decides_the_number_of_trials(budgeted, checkerboard):
    """Two seconds for the first trials and two for the seeds leave six for trials of 2 · 0.8 seconds."""
    studied = recpair.study(budgeted, data=checkerboard)
    assert studied.results["trials"].to_list() == [1 + int(6 / 1.6)] * 2


def test_a_resumed_study_keeps_the_number_of_trials_that_a_budget_gave(budgeted, checkerboard, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(studies, "write_study", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            recpair.study(budgeted, data=checkerboard)
    number = json.loads((tmp_path / "study" / "search.json").read_text())["trials"]
    monkeypatch.setattr(studies, "_first_trial", Mock(side_effect=AssertionError("timed again")))
    studied = recpair.study(budgeted, data=checkerboard, resume=True)
    assert studied.results["trials"].to_list() == [number, number]


def test_a_budget_that_is_too_short_is_refused_with_the_time_that_is_needed(settings, checkerboard):
    settings["study"].pop("trials")
    with pytest.raises(ConfigError, match=r"budget is 0\.01s, but 2 trials and 2 seeds of 2 methods take about"):
        recpair.study(settings, ["study.noise=[0.0]"], budget="0.01s", data=checkerboard)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_durations(text, seconds):
    assert duration(text, "budget") == seconds


def test_durations_in_words():
    assert [in_words(each) for each in (45, 720, 12000)] == ["45 s", "12 min", "3 h 20 min"]

"""Warnings about a run's result are given where they are true, and nowhere else."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

import recpair
from recpair.evaluation.evaluator import Evaluation
from recpair.markdown import escaped
from recpair.models.item_knn import ItemKNN
from recpair.run.advice import advice
from recpair.run.report import Outcome
from recpair.training.progress import Progress

MARKDOWN = MarkdownIt("commonmark").enable("table")


def means(**values: float) -> Evaluation:
    return replace(Evaluation.of_nothing(), means={name.replace("_", "@"): value for name, value in values.items()})


def outcome(best: int, epoch: int, valid: float, floor: float, test: float = 0.3, popular: float = 0.1) -> Outcome:
    progress = Progress(epoch=epoch, best_epoch=best)
    ours, theirs = means(ndcg_10=test), means(ndcg_10=popular)
    return Outcome(None, progress, {"ndcg@10": valid}, ours, theirs, 0.0, valid_floor={"ndcg@10": floor})


@pytest.mark.parametrize(
    ("best", "epoch", "decay", "warned"),
    [(60, 60, "none", True), (59, 60, "none", False), (40, 40, "none", False), (60, 60, "cosine", False)],
)
def test_the_last_epoch_as_the_best_one(best, epoch, decay, warned):
    found = advice(outcome(best, epoch, 0.2, 0.1), "ndcg@10", 60, decay, "spectral")
    assert found == (["the best epoch is the last one (60 of 60): raise train.epochs"] if warned else [])


def test_no_best_epoch_without_a_monitor():
    assert advice(outcome(60, 60, 0.2, 0.1), None, 60, "none", None) == []


def test_below_the_most_popular_by_validation():
    (found,) = advice(outcome(5, 10, 0.0788, 0.0854), "ndcg@10", 60, "none", "normal")
    assert found.startswith("validation ndcg@10 0.0788 is below 0.0854, that of the most popular items; ")
    assert "model.init=spectral" in found
    (found,) = advice(outcome(5, 10, 0.0788, 0.0854), "ndcg@10", 60, "none", "spectral")
    assert "init" not in found


def test_the_test_part_is_used_only_without_a_validation_part():
    assert advice(outcome(5, 10, 0.2, 0.1, test=0.1, popular=0.2), "ndcg@10", 60, "none", None) == []
    measured = replace(outcome(10, 10, 0.0, 0.0, test=0.1, popular=0.2), valid={}, valid_floor={})
    (found,) = advice(measured, None, 60, "none", None)
    assert found.startswith("test ndcg@10 0.1000 is below 0.2000")
    assert advice(replace(measured, test=means(), floor=means()), None, 60, "none", None) == []


def test_a_fitted_model_gets_other_advice(checkerboard):
    model = object.__new__(ItemKNN)
    (found,) = advice(replace(outcome(0, 0, 0.1, 0.2), model=model), "ndcg@10", 60, "none", None)
    assert "train." not in found


def test_a_run_warns_in_the_log_and_in_the_summary(checkerboard, quick, caplog):
    quick["train"] |= {"epochs": 1, "learning_rate": 1e-6}
    quick["model"] |= {"init": "normal"}
    run = recpair.fit(quick, data=checkerboard)
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert logged[0] == "the best epoch is the last one (1 of 1): raise train.epochs"
    summary = (run.folder / "SUMMARY.md").read_text()
    assert all(f"- Warning: {escaped(message)}." in summary for message in logged)


def test_a_run_that_works_warns_of_nothing(checkerboard, quick, caplog):
    quick["train"] |= {"epochs": 60, "patience": 5}
    run = recpair.fit(quick, data=checkerboard)
    assert run.metrics["best_epoch"] < run.metrics["epochs"]
    assert "Warning" not in (run.folder / "SUMMARY.md").read_text()


HOSTILE = "a|b <img src=x onerror=alert(1)> [x](http://e.org) ![y](z.png) *b* __c__ `d` \\ &lt; $e$ ~~f~~ \n\n# g\u202e\x1b[31m"


def test_hostile_names_are_text():
    shown = MARKDOWN.render(f"# {escaped(HOSTILE)}\n\n| a | b |\n|---|---|\n| {escaped(HOSTILE)} | 1 |\n")
    assert not any(tag in shown for tag in ("<img", "<a", "<em", "<strong", "<code", "<h1>g"))
    assert shown.count("<td>") == 2
    assert shown.count("<h1>") == 1
    assert "&lt;img src=x onerror=alert(1)&gt; [x](http://e.org) ![y](z.png) *b* __c__ `d` \\ &amp;lt; $e$" in shown


def test_the_summary_of_a_run_with_hostile_names(checkerboard, quick, tmp_path):
    folder = tmp_path / "runs <b>|*x*"
    path = tmp_path / "a|b <img src=x> [x](e) *b*.csv"
    checkerboard.write_csv(path)
    quick["train"] |= {"epochs": 1}
    run = recpair.fit(quick | {"data": {"path": str(path)}, "output": str(folder)})
    shown = MARKDOWN.render((run.folder / "SUMMARY.md").read_text())
    assert "<h1>mf · bpr on a|b &lt;img src=x&gt; [x](e) *b*" in shown
    assert shown.count("<img") == len(list((run.folder / "plots").iterdir()))
    assert shown.count("<table>") == 1
    assert "<em>" not in shown

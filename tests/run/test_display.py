"""The HTML of a run: small, well-formed, and every text escaped."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

import recpair
from recpair.run.display import run_html

CONFIG = {"model": {"name": "mf"}, "loss": {"name": "bpr"}, "denoise": {"name": "pld"}, "contrast": []}
METRICS = {
    "warnings": ["the best epoch is the last one"],
    "test": {"ndcg@10": 0.123456, "hit@10": 1.0},
    "popularity": {"ndcg@10": 0.1},
    "data": {"name": "shop", "sizes": {"users": 1234, "test_events": 0}, "notes": ["nothing chooses the epoch"]},
    "epochs": 30,
    "best_epoch": 12,
}


class Outline(HTMLParser):
    """The text of a page by cell; refuses tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells[-1] += data


def outline(page):
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert parser.tags <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    return parser.cells


def test_model_data_folder_metrics_and_notes():
    cells = outline(run_html(Path("runs/shop"), CONFIG, METRICS, True))
    facts = [
        "model",
        "mf · bpr · pld",
        "data",
        "shop, 1,234 users",
        "epochs",
        "30, the best is 12",
        "folder",
        "runs/shop",
    ]
    assert cells == [
        *facts,
        *("note", "nothing chooses the epoch"),
        *("warning", "the best epoch is the last one"),
        *("test metric", "this model", "most popular"),
        *("ndcg@10", "0.1235", "0.1000"),
        *("hit@10", "1.0000", "–"),
    ]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "a & b", "</table>", "x" * 10_000])
def test_every_text_is_escaped_and_short(text):
    data = METRICS["data"] | {"name": text, "notes": [text], "sizes": {text: 1}}
    config = CONFIG | {"model": {"name": text}, "contrast": [{"name": text}]}
    metrics = METRICS | {"data": data, "test": {text: text}, "best_epoch": text, "warnings": [text]}
    page = run_html(Path(text), config, metrics, True)
    cells = outline(page)
    assert cells[1].startswith(text[:200])
    assert len(page) < 12_000


def test_a_run_without_a_test_or_epochs():
    metrics = METRICS | {"test": {}, "popularity": {}, "epochs": 0}
    cells = outline(run_html(Path("r"), CONFIG, metrics, False))
    assert cells[:2] == ["model", "mf"]
    assert cells[4:6] == ["epochs", "fitted without epochs"]
    assert "test metric" not in cells


def test_runs_show_themselves_in_notebooks(checkerboard, quick):
    quick |= {"split": "whole", "model": "ease"}
    quick["evaluate"] = {"monitor": None}
    del quick["train"], quick["sampler"]
    run = recpair.fit(quick, data=checkerboard.drop("split"))
    cells = outline(run._repr_html_())
    assert cells[:3] == ["model", "ease", "data"]
    assert str(run.folder) in cells
    assert "note" in cells

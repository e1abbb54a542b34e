"""The page of finished runs, asked through a real server: answers, refusals and safety."""

import http.client
import json
import re
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest

import recpair
from recpair.browse import goods, overview, people, text
from recpair.browse.assets import assets
from recpair.browse.opened import Shelf, names
from recpair.browse.overview import number
from recpair.browse.server import listening, serve, server
from recpair.cli import main
from recpair.errors import RecpairError, RunError

MARKUP = '<img src=x onerror="document.title=\'run\'"> & "Film" 4'
WORDS = ["red", "green", "blue", "car", "boat"]
STATIC = Path(recpair.__file__).parent / "browse" / "static"


def events():
    user, item = np.nonzero(np.add.outer(np.arange(24), np.arange(20)) % 2 == 0)
    time = 1_400_000_000 + 86_400 * np.arange(len(user))
    return pl.DataFrame(
        {"user_id": [f"u{u}" for u in user], "item_id": item, "timestamp": time, "rating": 1 + item % 5}
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """mf with titles, audit and curves; ease without titles, audit and curves, and without the items 0 … 3."""
    folder = tmp_path_factory.mktemp("browse")
    titles = [f"{WORDS[i % 5]} {WORDS[i // 5]} {i}" for i in range(20)]
    titles[4], titles[7] = MARKUP, "Élan (vital) .*"
    items = pl.DataFrame({"item_id": range(20), "title": titles, "genre": ["x, y"] * 20, "price": [1.5] * 20})
    shared = {"evaluate": {"metrics": ["ndcg", "recall"], "cutoffs": [3], "monitor": "ndcg@3"}, "tracking": None}
    mf = {"model": {"embedding_dim": 4}, "train": {"epochs": 8, "audit_from": 2}, "sampler": {"batch_size": 64}}
    first = recpair.fit(shared | mf | {"output": str(folder / "mf")}, data=events(), items=items)
    fewer = events().filter(pl.col("item_id") > 3).drop("timestamp", "rating")
    second = recpair.fit(shared | {"model": "ease", "output": str(folder / "ease")}, data=fewer)
    return [first, second]


@pytest.fixture(scope="module")
def page(runs):
    """Functions that ask a server of both runs."""
    with listening(0) as sock:
        shelf = Shelf(runs)
        answering = server(shelf)
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [sock]})
        thread.start()
        port = sock.getsockname()[1]

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=body)

        def get(path, **parameters):
            answer = ask(f"/api/{path}?{urlencode(parameters)}")
            assert answer.status == 200, answer.body
            return json.loads(answer.body)

        yield SimpleNamespace(ask=ask, get=get, port=port, shelf=shelf)
        answering.should_exit = True
        thread.join(timeout=10)


PATHS = ["/", "/user?id=u1", "/static/main.js", "/api/overview", "/api/search?q=red", "/api/user?id=u1"]


@pytest.mark.parametrize("path", PATHS)
def test_only_names_of_this_machine_are_answered(page, path):
    assert page.ask(path, Host="evil.example").status == 400
    assert page.ask(path, Host=f"evil.example:{page.port}").status == 400
    assert page.ask(path, Host="127.0.0.1.evil.example").status == 400
    assert page.ask(path, Host=f"localhost:{page.port}").status == 200
    assert page.ask(path, Host="127.0.0.1").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_only_get_is_answered(page, path):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert page.ask(path, method).status == 405


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/api/user?id=zz", "/api/user"])
def test_every_answer_forbids_other_hosts_and_sniffing(page, path):
    headers = page.ask(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../web.py", "/static/%2e%2e/web.py", "/static/..%2fweb.py", "/static//etc/passwd", "/static/"),
        *("/web.py", "/etc/passwd", "/static/index.html", "/docs", "/openapi.json", "/api/", "/user/u1"),
    ],
)
def test_no_other_path_is_answered(page, path):
    answer = page.ask(path)
    assert answer.status == 404
    assert json.loads(answer.body) == {"error": "Not Found"}


def test_the_files_of_the_page_are_whole_and_need_no_other_host():
    found = assets()
    assert set(found) == {path.name for path in STATIC.iterdir()}
    text_of = {name: content.decode() for name, (content, _) in found.items()}
    for name, content in text_of.items():
        used = re.findall(r"""(?:from |href="|src=")["']?(?:\./|/static/)([\w.]+)""", content)
        assert set(used) <= set(found), name
        outside = set(re.findall(r"https?://[\w./]+", content)) - {"http://www.w3.org/2000/svg"}
        assert not outside, name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", content
        ), name
    index = text_of["index.html"]
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\bon\w+=", index)  # the policy would block them


def test_markup_in_titles_is_data(page, runs):
    answer = page.ask("/api/item?id=4")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["title"] == MARKUP
    assert json.loads(page.ask("/api/user?" + urlencode({"id": "<b>"})).body)["error"].startswith("user <b> has no")


def test_the_overview_describes_each_run(page, runs):
    found = page.get("overview")
    assert [run["name"] for run in found["runs"]] == ["mf", "ease"]
    assert [run["model"] for run in found["runs"]] == ["mf · bpr", "ease"]
    for described, run in zip(found["runs"], runs, strict=True):
        assert described["test"] == pytest.approx(run.metrics["test"])
        assert described["events"] == len(run.recommender.train)
    assert [run["has"]["audit"] for run in found["runs"]] == [True, False]
    counts = runs[0].recommender.train.item_counts
    assert [item["events"] for item in found["items"]] == sorted(counts.tolist(), reverse=True)[:8]


@pytest.mark.parametrize("run", [0, 1])
@pytest.mark.parametrize("options", [{}, {"diversity": 0.4}, {"seen": 1, "k": 4}])
def test_recommendations_are_those_of_the_run(page, runs, run, options):
    found = page.get("recommendations", run=run, user="u3", explain=1, **options)["items"]
    given = {"k": 4 if "k" in options else 10, "exclude_seen": "seen" not in options}
    frame = runs[run].recommend(["u3"], explain=True, diversity=options.get("diversity", 0.0), **given)
    assert [item["id"] for item in found] == frame["item_id"].cast(pl.String).to_list()
    assert [item["score"] for item in found] == pytest.approx(frame["score"].to_list())
    for item, because in zip(found, frame["explanation"], strict=True):
        assert [(part["id"], part["contribution"]) for part in item["because"]] == [
            (str(part["item_id"]), pytest.approx(part["contribution"])) for part in because
        ]
    assert "because" not in page.get("recommendations", run=run, user="u3")["items"][0]


def test_a_history_is_in_descending_order_of_time(page, runs):
    found = page.get("user", id="u3")
    train = runs[0].recommender.train
    own = train.to_polars().filter(pl.col("user_id") == "u3").reverse()
    assert found["events"] == len(own)
    assert [event["id"] for event in found["history"]] == own["item_id"].cast(pl.String).to_list()
    days = pl.from_epoch(own["timestamp"], time_unit="s").dt.to_string("%Y-%m-%d").to_list()
    assert [event["time"] for event in found["history"]] == days
    assert [event["rating"] for event in found["history"]] == own["rating"].to_list()


def test_a_run_that_lacks_an_item_says_so_beside_the_others(page, runs):
    found = page.get("item", id="2")
    assert found["columns"] == {"title": "blue red 2", "genre": "x, y", "price": "1.5"}
    frame = runs[0].similar_items([2], k=10)
    assert [item["id"] for item in found["similar"][0]["items"]] == frame["similar_item_id"].cast(pl.String).to_list()
    assert found["similar"][1] == {"items": [], "error": "item 2 has no training event in ease"}
    assert page.get("item", id="8")["similar"][1]["kind"] == "weight"
    assert json.loads(page.ask("/api/item?id=99").body)["error"] == (
        "item 99 has no training event in any of the 2 runs; check the id"
    )


REFUSED = [
    ("recommendations?run=0&user=u1&k=0", 400, "k: Input should be greater than or equal to 1"),
    ("recommendations?run=0&user=u1&k=x", 400, "k: Input should be a valid integer"),
    ("recommendations?run=0&user=u1&k=101", 400, "k: Input should be less than or equal to 100"),
    ("recommendations?run=0&user=u1&diversity=nan", 400, "diversity: "),
    ("recommendations?run=0&user=u1&diversity=2", 400, "diversity: "),
    ("recommendations?run=2&user=u1", 400, "run is 2, but there are 2 runs"),
    ("recommendations?run=0&user=zz", 404, "user zz has no training event in mf"),
    ("recommendations?run=0", 400, "user: Field required"),
    ("user?id=", 400, "id: String should have at least 1 character"),
    ("user?id=zz", 404, "user zz has no training event in any of the 2 runs"),
    ("audit?run=1", 400, "has no audit.parquet"),
    ("audit/user?run=0&user=zz", 404, "user zz has no training event in mf"),
    ("curves?metric=zz", 400, "no run has the metric zz; choose one of "),
    ("groups?metric=zz", 400, "no run has the metric zz; choose one of ndcg@3"),
    ("groups?by=age", 400, "by: Input should be 'activity' or 'popularity'"),
    ("search?limit=0", 400, "limit: "),
]


@pytest.mark.parametrize(("path", "status", "message"), REFUSED)
def test_wrong_requests_get_one_line(page, path, status, message):
    answer = page.ask(f"/api/{path}")
    error = json.loads(answer.body)["error"]
    assert answer.status == status
    assert message in error
    assert "\n" not in error
    assert len(error) < 400


def test_pages_of_the_audit_follow_each_other(page, runs):
    first, second = page.get("audit"), page.get("audit", page=1)
    frame = runs[0].audit()
    both = first["events"] + second["events"]
    assert [(event["user"], event["item"]["id"]) for event in both] == [
        (user, str(item)) for user, item in frame.select("user_id", "item_id").head(60).rows()
    ]
    assert first["total"] == len(frame)
    assert first["likely"] == (frame["noise_probability"] > 0.5).sum()
    own = page.get("audit/user", user="u3")["events"]
    expected = frame.filter(pl.col("user_id") == "u3")
    assert [event["item"]["id"] for event in own] == expected["item_id"].cast(pl.String).to_list()
    assert [event["loss"] for event in own] == pytest.approx(expected["mean_loss"].to_list())
    assert page.get("audit/user", user="u3")["total"] == len(expected)


def test_curves_are_the_history_of_each_run(page, runs):
    found = page.get("curves", metric="train/loss")
    own = runs[0].history.filter(pl.col("metric") == "train/loss")
    assert found["runs"][0]["points"] == [list(row) for row in own.select("epoch", "value").rows()]
    assert found["runs"][1]["points"] == []
    assert page.get("curves")["metric"] == "valid/ndcg@3"


@pytest.mark.parametrize("by", ["activity", "popularity"])
def test_groups_divide_the_users_and_average_their_metric(page, runs, by):
    found = page.get("groups", metric="recall@3", by=by)
    train, edges = runs[0].recommender.train, found["edges"]
    values = {}
    for user, value in runs[0].per_user.select("user_id", "recall@3").rows():
        items = train.items_of(int(train.vocabulary.users.indices([user])[0]))
        size = len(items) if by == "activity" else round(float(train.item_counts[items].mean()))
        values.setdefault(sum(size > edge for edge in edges), []).append(value)
    groups = found["runs"][0]["groups"]
    assert [group["users"] for group in groups] == [len(values[g]) for g in range(len(edges) + 1)]
    assert [group["mean"] for group in groups] == pytest.approx([np.mean(values[g]) for g in range(len(edges) + 1)])
    assert sum(group["users"] for group in groups) == len(runs[0].per_user)


@pytest.mark.parametrize("encoder", ["wordllama", "tfidf"])
def test_items_with_alike_titles_are_text_neighbours(runs, monkeypatch, encoder):
    if encoder == "wordllama":
        pytest.importorskip("wordllama")
    else:
        monkeypatch.setattr(text, "find_spec", lambda name: None)
    found = text.TextNeighbours(runs)
    assert found.encoder == encoder
    near = found.find("5", 3)  # "red green 5"
    assert all(int(item) % 5 < 2 or int(item) // 5 < 2 for item, _ in near)  # "red" or "green" is in the title
    assert [cosine for _, cosine in near] == sorted((cosine for _, cosine in near), reverse=True)
    assert "5" not in [item for item, _ in near]
    for item, cosine in near:
        back = dict(found.find(item, 19))
        assert back["5"] == pytest.approx(cosine, abs=1e-5)


def test_runs_without_texts_say_so(runs):
    with pytest.raises(RunError, match="has no item table with texts"):
        text.TextNeighbours(runs[1:]).find("5", 3)
    alone = Shelf(runs[1:])
    assert alone.cards.brief("5") == {"id": "5", "title": None, "detail": ""}
    assert alone.runs[0].clock.per_second is None


def test_ids_and_texts_of_any_kind_are_served(tmp_path):
    strange = ["a/b?c=d&e#f", "%2e%2e", "<b>", "line\nbreak", "Zürich 🚲", "'\"", "007", "7"]
    rows = [(user, item) for user in strange for item in strange if user != item]
    long = "word " * 1000
    items = pl.DataFrame({"item_id": strange, "name": [long, None, "", " ", "x", "<i>", "0", "7"], "n": range(8)})
    config = {"model": "popularity", "evaluate": {"cutoffs": [2], "monitor": "ndcg@2"}, "tracking": None}
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    run = recpair.fit(config | {"output": str(tmp_path / "run")}, data=frame, items=items)
    shelf = Shelf([run])
    for id_ in strange:
        assert people.user(shelf, id_)["id"] == id_
        assert goods.item(shelf, id_, 3)["id"] == id_
        assert people.recommendations(shelf, 0, id_, 100, 0.5, True, True)["items"]
        assert id_ in [item["id"] for item in overview.search(shelf, id_, 8)["items"]]
        json.dumps(goods.alike(shelf, id_, 3), allow_nan=False)
    assert len(goods.item(shelf, strange[0], 3)["title"]) <= 160
    assert goods.item(shelf, "%2e%2e", 3)["title"] is None


def test_names_are_short_and_unique():
    folder = lambda path: SimpleNamespace(folder=Path(path))  # noqa: E731
    assert names([folder("/a/x"), folder("/a/y")]) == ["x", "y"]
    assert names([folder("/a/x"), folder("/b/x")]) == ["a/x", "b/x"]
    assert names([folder("/a/x"), folder("/a/x")]) == ["/a/x (1)", "/a/x (2)"]


def test_numbers_that_json_lacks_become_null():
    assert [number(value) for value in (float("nan"), float("inf"), None, np.float32(0.5))] == [None, None, None, 0.5]


def test_a_port_in_use_is_one_line(runs, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RunError, match=f"cannot listen on port {port}: .*; choose another with --port"):
            serve(runs, port, print)
        assert main(["browse", str(runs[0].folder), "--port", str(port)]) == 2
    assert "choose another with --port" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    assert main(["browse", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["browse"]) == 2


def test_the_address_is_reported_and_answers(runs, monkeypatch):
    found = {}

    def ready(address):
        found["address"] = address
        raise RecpairError("enough")

    with pytest.raises(RecpairError, match="enough"):
        serve(runs, 0, ready)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", found["address"])

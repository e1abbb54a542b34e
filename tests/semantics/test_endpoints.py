"""Descriptions, summaries and embeddings from a server that speaks the protocol, or doesn't."""

import json
import logging
import socket
import time

import numpy as np
import pytest

from recpair.errors import ConfigError, EndpointError
from recpair.semantics import retrieve
from recpair.semantics.answers import Answers
from recpair.semantics.describe import Describer
from recpair.semantics.encoders.embeddings_endpoint import EmbeddingsEndpoint
from recpair.semantics.progress import silent
from recpair.semantics.prompting import estimates
from recpair.semantics.store import folder_of

pytest.importorskip("openai", reason="needs recpair[llm]")
pytest.importorskip("wordllama", reason="needs recpair[text]")
pytest.importorskip("faiss", reason="needs recpair[text]")

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def options(server):
    return {"model": "m", "base_url": server.url, "key_variable": "MY_KEY", "retries": 2, "timeout": 30.0}


@pytest.fixture
def ask(options):
    """Ask about texts; "item 0", "item 1", … are their names."""

    def ask(texts, path=None, **more):
        describer = Describer(**(options | more))
        names = [f"item {i}" for i in range(len(texts))]
        jobs = describer.jobs("Describe:\n{text}", texts, names)
        return describer.ask(jobs, Answers(path), "descriptions", silent)

    return ask


def everything_in(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_answers_come_in_the_order_of_the_texts_and_equal_texts_are_asked_once(ask, server):
    assert ask(["b", "a", "", "b"]) == ["About b", "About a", "", "About b"]
    assert len(server.requests) == 2
    path, request, authorization, _ = server.requests[0]
    assert path == "/v1/chat/completions"
    assert request["model"] == "m"
    assert request["messages"][0]["content"].startswith("Describe:\n")
    assert authorization == f"Bearer {KEY}"


def test_an_interruption_loses_no_answer(ask, server, tmp_path):
    path = tmp_path / "answers.jsonl"
    answer = server.answer

    def falls_over(where, request):
        return answer(where, request) if len(server.requests) <= 3 else (500, {"error": {"message": "down"}})

    server.answer = falls_over
    texts = list("abcdef")
    with pytest.raises(EndpointError, match="answers 500"):
        ask(texts, path, concurrency=1, retries=0)
    assert len(path.read_text().splitlines()) == 3
    path.write_bytes(path.read_bytes()[:-9])  # the last row was cut while it was written
    server.answer = answer
    before = len(server.requests)
    assert ask(texts, path) == [f"About {text}" for text in texts]
    assert len(server.requests) == before + 4
    assert ask(texts, path) == [f"About {text}" for text in texts]
    assert len(server.requests) == before + 4
    assert {json.loads(line)["answer"] for line in path.read_text().splitlines() if line.endswith("}")} == {
        f"About {text}" for text in texts
    }


def test_another_prompt_or_model_asks_again(options, server, tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    for model, prompt in (("m", "one {text}"), ("m", "two {text}"), ("n", "one {text}"), ("m", "one {text}")):
        describer = Describer(**(options | {"model": model}))
        describer.ask(describer.jobs(prompt, ["a"], ["item a"]), answers, "descriptions", silent)
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_passing_errors_are_tried_again(ask, server, status):
    answer = server.answer
    server.answer = lambda path, request: (
        answer(path, request) if len(server.requests) > 2 else (status, {"error": {"message": "busy"}})
    )
    assert ask(["a"]) == ["About a"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "message", "times"),
    [
        (429, r"answers 429 \(.*no more.*\); lower describe\.requests_per_minute", 3),
        (500, "answers 500 .*tried 3 times; try later", 3),
        (401, r"answers 401 .*; check the key in \$MY_KEY", 1),
        (404, r"answers 404 .*; check describe\.model and describe\.base_url", 1),
        (400, "answers 400", 1),
    ],
)
def test_lasting_errors_are_told_in_one_line_without_the_key(ask, server, status, message, times):
    server.answer = lambda path, request: (status, {"error": {"message": f"no more\nfor {KEY}"}})
    with pytest.raises(EndpointError, match=message) as caught:
        ask(["a"])
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == times


def test_a_slow_endpoint_is_given_up(ask, server):
    server.delay = 0.5
    with pytest.raises(EndpointError, match=r"did not answer within 0\.1 s, tried 2 times; .*describe\.timeout"):
        ask(["a"], timeout=0.1, retries=1)


def test_an_endpoint_that_is_down(ask):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EndpointError, match=rf"cannot reach http://127\.0\.0\.1:{port}/v1 .*; is it running"):
        ask(["a"], base_url=f"http://127.0.0.1:{port}/v1", retries=0)


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"<html></html>", b"[1]", b"null", {"foo": 1}, {"choices": []}, {"choices": [{"message": "x"}]}],
)
def test_an_answer_of_another_protocol_is_refused(ask, server, body):
    server.answer = lambda path, request: (200, body)
    with pytest.raises(EndpointError, match=r"does not speak the OpenAI protocol: .*; check describe\.base_url"):
        ask(["a"])


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ({"content": ""}, "empty"),
        ({"content": "  \n"}, "empty"),
        ({"content": None}, "empty"),
        ({"content": None, "refusal": "I cannot"}, "refused"),
        ({"content": "half a", "finish_reason": "length"}, "cut off before its end"),
        ({"content": "text", "finish_reason": "content_filter"}, "stopped by a filter"),
    ],
)
def test_garbage_is_named_and_never_kept(ask, server, tmp_path, reply, wrong):
    """The other answers are there when it is asked again."""
    answer = server.answer
    bad = server.said(**reply)
    server.answer = lambda where, asked: (
        bad if asked["messages"][0]["content"].endswith("bad") else answer(where, asked)
    )
    path = tmp_path / "answers.jsonl"
    with pytest.raises(
        EndpointError, match=rf"1 of 3 answers of m cannot be used \(item 1: {wrong}\); the others are kept"
    ):
        ask(["a", "bad", "c"], path)
    assert len(path.read_text().splitlines()) == 2
    server.answer = answer
    assert ask(["a", "bad", "c"], path) == ["About a", "About bad", "About c"]
    assert len(server.requests) == 4


def test_requests_are_concurrent_but_not_too_many(ask, server):
    server.delay = 0.1
    ask([str(i) for i in range(12)], concurrency=4)
    assert 1 < server.most <= 4


def test_requests_keep_their_pace(ask, server):
    """At 1,200 a minute, eight requests begin 0.05 s apart: the last does not come before 0.35 s."""
    started = time.monotonic()
    ask([str(i) for i in range(8)], requests_per_minute=1200)
    assert max(when for *_, when in server.requests) >= started + 0.35


def test_the_estimate_counts_what_is_open(options, splits, server, tmp_path, caplog):
    caplog.set_level(logging.INFO, "recpair")
    describer = Describer(**options, histories=True, price_in=2.0, price_out=10.0)
    before = estimates(splits, describer, "{title}", tmp_path)
    assert server.requests == []
    items = before["descriptions of items"]
    assert (items.requests, items.kept) == (40, 0)
    assert items.tokens_out == 40 * 130
    assert items.cost == pytest.approx((items.tokens_in * 2 + items.tokens_out * 10) / 1e6)
    assert items.tokens_in == pytest.approx(40 * (len(describer.item_prompt) + 6) / 4, rel=0.05)
    retrieve(splits, options, folder=str(tmp_path), name="wordllama", template="{title}")
    assert "40 requests (0 answers are there already)" in caplog.text
    after = estimates(splits, describer, "{title}", tmp_path)
    assert (after["descriptions of items"].requests, after["descriptions of items"].kept) == (0, 40)
    assert after["summaries of histories"].requests == before["summaries of histories"].requests > 0


def test_descriptions_and_summaries_are_what_is_encoded(options, splits, server, tmp_path):
    """An item's vector is that of its description; a history's that of its summary, zeros before the first event."""
    from recpair.semantics.encoders import normalised
    from recpair.semantics.encoders.word_llama import WordLlama

    found = retrieve(splits, options | {"histories": True}, str(tmp_path / "run"), name="wordllama", template="{title}")
    title = dict(splits.items.iter_rows())
    names = [title[id_] for id_ in splits.vocabulary.items.values]
    expected = normalised(WordLlama().encode([f"About {name}" for name in names]))
    np.testing.assert_allclose(found.item_vectors, expected, atol=1e-5)
    train = splits.train
    row = int(train.indptr[4] + 2)
    summary = f"About 2. {names[train.item[row - 1]]}"  # the last line of the prompt, by the server of the tests
    np.testing.assert_allclose(found.history_vectors[row], normalised(WordLlama().encode([summary]))[0], atol=1e-5)
    assert not found.history_vectors[train.indptr[:-1]].any()
    asked = [request["messages"][0]["content"] for _, request, *_ in server.requests]
    assert any(f"1. {names[train.item[row - 2]]}\n2. {names[train.item[row - 1]]}" in prompt for prompt in asked)
    held_out = {names[i] for part in (splits.valid, splits.test) for i in part.item} - {names[i] for i in train.item}
    assert not [prompt for prompt in asked if prompt.count("1. ") and any(name in prompt for name in held_out)]


def test_the_key_is_nowhere_but_in_the_request(options, splits, server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    retrieve(splits, options, str(tmp_path / "run"), name="wordllama", template="{title}")
    assert all(authorization == f"Bearer {KEY}" for _, _, authorization, _ in server.requests)
    assert KEY.encode() not in everything_in(tmp_path)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(Describer(**options)))
    assert len(everything_in(tmp_path)) > 1000


def test_a_missing_key_is_told_before_anything_is_sent(ask, server, monkeypatch):
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ConfigError, match=r"key_variable is MY_KEY, which is not set .*key_variable=null"):
        ask(["a"])
    assert ask(["a"], key_variable=None) == ["About a"]
    assert server.requests[0][2] == "Bearer none"


@pytest.mark.parametrize("url", ["localhost:80", "ftp://host/v1", "http://me:pw@host/v1", "http:///v1"])
def test_impossible_addresses(ask, url):
    with pytest.raises(ConfigError, match=r"describe\.base_url must be of the form") as caught:
        ask(["a"], base_url=url)
    assert "pw" not in str(caught.value)


def test_a_prompt_of_ones_own(options, server, tmp_path):
    (tmp_path / "p.txt").write_text("In French, please: {text}\n")
    describer = Describer(**options, item_prompt=str(tmp_path / "p.txt"))
    assert describer.item_prompt == "In French, please: {text}"
    (tmp_path / "p.txt").write_text("no place for it")
    with pytest.raises(ConfigError, match=r"p\.txt does not say \{text\} where the item is to stand"):
        Describer(**options, item_prompt=str(tmp_path / "p.txt"))
    with pytest.raises(ConfigError, match=r"describe\.history_prompt .* cannot be read"):
        Describer(**options, history_prompt=str(tmp_path / "none.txt"))


def test_vectors_of_an_embeddings_endpoint(options, splits, server, tmp_path):
    """The server's vector of a text is (its length, 1), given in reverse order."""
    found = retrieve(splits, name="openai", template="{title}", folder=str(tmp_path), batch_size=16, **options)
    title = dict(splits.items.iter_rows())
    lengths = np.array([len(title[id_]) for id_ in splits.vocabulary.items.values])
    np.testing.assert_allclose(found.item_vectors[:, 0] / found.item_vectors[:, 1], lengths, rtol=1e-4)
    assert [len(request["input"]) for _, request, *_ in server.requests] == [16, 16, 8]
    retrieve(splits, name="openai", template="{title}", folder=str(tmp_path), **options)
    assert len(server.requests) == 3
    assert KEY.encode() not in everything_in(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"index": 0, "embedding": [1.0]}], "gave 1 vectors for 2 texts"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}], "gave 2 vectors for 2 texts"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}], r"vectors of \[1, 2\] numbers"),
        ([{"index": 0, "embedding": "AAAA"}], "does not speak the OpenAI protocol"),
        (None, "does not speak the OpenAI protocol"),
    ],
)
def test_wrong_embeddings(options, server, data, message):
    server.answer = lambda path, request: (200, {"data": data})
    with pytest.raises(EndpointError, match=message):
        EmbeddingsEndpoint(**options).encode(["a", "b"])


def test_where_results_are_kept():
    assert folder_of(None, None) is None
    assert str(folder_of(None, "runs/one")) == "runs/.semantics"
    assert str(folder_of("mine", "runs/one")) == "mine"

"""Transitions and Markov chains: by brute force, by loops over histories, and on a data set of succession."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

import recpair
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError, DataError, RunError
from recpair.evaluation.evaluator import Evaluator
from recpair.files import read_tensors, write_tensors
from recpair.models import MODELS, HistoryModel, SequenceModel
from recpair.models.markov import Markov
from recpair.models.transitions import Transitions
from recpair.semantics.encoders import normalised

FITTED = sorted(
    name for name, kind in MODELS.items() if issubclass(kind, HistoryModel) and not issubclass(kind, SequenceModel)
)


def events_of(histories, n_items, times=None) -> Interactions:
    user = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    item = np.array([item for history in histories for item in history], dtype=int)
    place = np.concatenate([np.arange(len(history)) for history in histories])
    time = place if times is None else np.array(times, dtype="datetime64[D]").astype("datetime64[ms]")
    return Interactions.from_indices(user, item, time, vocabulary=Vocabulary.range(len(histories), n_items))


def fitted(histories, n_items, times=None, vectors=None, **options) -> Transitions:
    events = events_of(histories, n_items, times)
    model = Transitions(events, vectors, **options)
    model.fit(events)
    return model


def lists(histories):
    return [np.array(history, dtype=np.int64) for history in histories]


def test_the_golden_example(golden):
    numbers = golden("transitions")
    model = fitted(numbers["histories"], numbers["n_items"])
    np.testing.assert_allclose(model.transitions.matrix.toarray(), numbers["P"], rtol=1e-6)
    scores = model.fold_in(lists(query["history"] for query in numbers["queries"])).catalogue()
    np.testing.assert_allclose(scores, [query["graph"] for query in numbers["queries"]], rtol=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_the_golden_example_with_text(kind, golden):
    """The vectors of the example have other lengths than one; that of item 5 is zero."""
    numbers = golden("transitions")
    vectors = kind(normalised(np.array(numbers["vectors"])))
    asked = lists(query["history"] for query in numbers["queries"])
    scores = {
        weight: fitted(numbers["histories"], numbers["n_items"], vectors=vectors, text_weight=weight).fold_in(asked)
        for weight in (1.0, 2.5)
    }
    np.testing.assert_allclose(scores[1.0].catalogue(), [query["score"] for query in numbers["queries"]], rtol=1e-5)
    text = (scores[2.5].catalogue() - scores[1.0].catalogue()) / 1.5
    np.testing.assert_allclose(text, [query["text"] for query in numbers["queries"]], rtol=1e-5, atol=1e-6)


def by_loop(histories, n_items, query, *, window, decay, backward, column_exponent, hops, last, last_decay):
    """The definition, one pair at a time, in float64 with dense matrices."""
    a = np.zeros((n_items, n_items))
    for history in histories:
        for first, item in enumerate(history):
            for second in range(first + 1, min(first + window, len(history) - 1) + 1):
                weight = decay ** (second - first - 1)
                a[item, history[second]] += weight
                a[history[second], item] += backward * weight
    p = np.zeros_like(a)
    for i, j in zip(*np.nonzero(a), strict=True):
        p[i, j] = a[i, j] / a[i].sum() / a[:, j].sum() ** column_exponent
    graph = np.zeros(n_items)
    for step in range(last if query else 0):
        item = query[max(len(query) - 1 - step, 0)]
        graph += sum(last_decay**step * np.linalg.matrix_power(p, hop)[item] for hop in range(1, hops + 1))
    return graph / graph.max() if graph.max() > 0 else graph


HISTORIES = st.lists(st.lists(st.integers(0, 6), max_size=7), min_size=1, max_size=6).filter(any)
OPTIONS = st.fixed_dictionaries(
    {
        "window": st.integers(1, 9),
        "decay": st.sampled_from([0.3, 0.5, 1.0]),
        "backward": st.sampled_from([0.0, 0.5, 2.0]),
        "column_exponent": st.sampled_from([0.0, 0.3, 1.0]),
        "hops": st.integers(1, 3),
        "last": st.integers(1, 4),
        "last_decay": st.sampled_from([0.6, 1.0]),
    }
)


@given(HISTORIES, st.lists(st.integers(0, 6), max_size=5), OPTIONS)
def test_scores_are_those_of_a_loop_over_histories(histories, query, options):
    """Repeated items, empty and short histories, items without transitions, and every option."""
    model = fitted(histories, 7, **options)
    scores = model.fold_in(lists([query, histories[0]])).catalogue()
    expected = [by_loop(histories, 7, each, **options) for each in (query, histories[0])]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)
    assert torch.isfinite(scores).all()


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_users_and_the_names_of_items_change_nothing(histories, random):
    scores = fitted(histories, 7).fold_in(lists(histories)).catalogue()
    renamed = random.sample(range(7), 7)
    others = [[renamed[item] for item in history] for history in random.sample(histories, len(histories))]
    asked = lists([renamed[item] for item in history] for history in histories)
    torch.testing.assert_close(fitted(others, 7).fold_in(asked).catalogue()[:, renamed], scores)


def test_transitions_count_less_the_longer_they_took():
    """After 10 days a half, after 20 a quarter; against the order as well."""
    model = fitted([[0, 1, 2], [0, 1]], 3, [0, 10, 30, 5, 5], window=1, time_decay=10.0)
    forwards, rows = {(0, 1): 0.5 + 1, (1, 2): 0.25}, [1.5, 0.75 + 0.25, 0.125]
    expected = np.zeros((3, 3))
    for (first, second), weight in forwards.items():
        expected[first, second], expected[second, first] = weight / rows[first], 0.5 * weight / rows[second]
    expected /= np.array([0.75, 1.625, 0.25]) ** 0.3
    np.testing.assert_allclose(model.transitions.matrix.toarray(), expected, rtol=1e-6)
    with pytest.raises(DataError, match=r"model\.time_decay counts days, but the unit of the times is unknown"):
        fitted([[0, 1]], 2, time_decay=10.0)


def test_known_users_are_scored_by_their_histories():
    histories = [[3, 1, 4], [1, 5], [2]]
    model, events = fitted(histories, 6), events_of(histories, 6)
    known = model.score(model.batch_of(torch.tensor([2, 0, 1]), Histories((events,)))).catalogue()
    torch.testing.assert_close(known, model.fold_in(lists([histories[2], histories[0], histories[1]])).catalogue())


def test_the_test_reads_the_validation_item_and_counts_training_events_only():
    """1 follows 0 and 3 follows 2 in training; that 2 follows 1 is only seen in the validation part."""
    train = events_of([[0, 1], [0, 1], [2, 3], [0, 1]], 5)
    step = lambda item: Interactions.from_indices(  # noqa: E731
        np.array([3]), np.array([item]), np.array([item + 5]), vocabulary=train.vocabulary
    )
    model = Transitions(train)
    model.fit(train)
    options = {"metrics": ["hit"], "cutoffs": [1], "mask_seen": True}
    assert Evaluator(train, step(3), (step(2),), **options).evaluate(model).means == {"hit@1": 1.0}
    assert Evaluator(train, step(3), **options).evaluate(model).means == {"hit@1": 0.0}


@given(HISTORIES)
def test_a_markov_chain_ranks_by_the_share_of_followers(histories):
    model, events = Markov(events_of(histories, 7)), events_of(histories, 7)
    model.fit(events)
    scores = model.fold_in(lists([2, item] for item in range(7))).catalogue()
    for item, row in enumerate(scores.tolist()):
        followers = [b for history in histories for a, b in pairwise(history) if a == item]
        counts = np.bincount(np.array(followers, dtype=int), minlength=7)
        np.testing.assert_allclose(row, counts / max(counts.max(), 1), rtol=1e-6)


@pytest.mark.parametrize("name", FITTED)
def test_a_succession_is_learnt(name, succession, bare):
    """The next item stands first for known and unknown users, also after loading; popularity finds next to nothing."""
    bare |= {"split": "leave_last", "model": name}
    bare["evaluate"]["mask_seen"] = False
    run = recpair.load(recpair.fit(bare, data=succession).folder)
    assert run.metrics["test"]["hit@1"] >= 0.9
    assert run.metrics["popularity"]["hit@1"] < 0.3
    found = run.recommend(histories=[[(item - 1) % 30, item] for item in range(30)], k=1)["item_id"]
    assert (found.to_numpy() == (np.arange(30) + 1) % 30).mean() >= 0.9
    last = {user: (7 * user + 1 + user % 6) % 30 for user in range(60)}
    served = run.recommend(list(range(60)), k=1)
    assert (served["item_id"].to_numpy() == [(last[user] + 1) % 30 for user in served["user_id"]]).mean() >= 0.9
    assert (run.similar_items(list(range(30)), k=1)["similar_item_id"].to_numpy() == (np.arange(30) + 1) % 30).all()


@pytest.mark.parametrize("name", FITTED)
def test_histories_need_times(name, succession, bare):
    bare |= {"model": name, "split": "ratio"}
    with pytest.raises(ConfigError, match=f"model.name: {name} needs a time column"):
        recpair.fit(bare, data=succession.drop("timestamp"))


TITLES = pl.DataFrame({"item_id": range(30), "title": [f"{['red', 'blue'][i % 2]} shoe number {i}" for i in range(30)]})


@pytest.mark.parametrize("encoder", ["tfidf", "wordllama"])
def test_texts_are_part_of_the_run_folder(encoder, succession, bare, tmp_path):
    """Loaded without events and titles, a run scores known and unknown users as before; unseen items have a score."""
    if encoder == "wordllama":
        pytest.importorskip("wordllama", reason="needs recpair[text]")
    bare |= {"split": "leave_last", "model": "transitions"}
    bare |= {"semantics": {"name": encoder, "template": "{title}"}}
    run = recpair.fit(bare, data=succession, items=TITLES)
    loaded = recpair.load(run.folder)
    for histories in ([[3], [4, 5], [29, 0, 1]], [[7]]):
        asked = run.recommend(histories=histories, k=5)
        assert loaded.recommend(histories=histories, k=5).equals(asked)
        assert asked["score"].is_finite().all()
    assert loaded.recommend(list(range(60)), k=5).equals(run.recommend(list(range(60)), k=5))
    near = run.recommend(histories=[[3]], k=29, exclude_seen=False)
    score = dict(near.select("item_id", "score").iter_rows())
    assert score[4] > score[2]  # 4 follows 3
    assert score[19] > score[20]  # neither does: 19 has the colour of 3
    graph = recpair.fit(bare | {"semantics": None, "output": str(tmp_path / "graph")}, data=succession)
    assert graph.recommend(histories=[[3]], k=29)["score"].is_sorted(descending=True)


def test_transitions_alone_note_that_there_is_no_text(succession, bare, caplog):
    caplog.set_level("INFO", "recpair")
    run = recpair.fit(bare | {"split": "leave_last", "model": "transitions"}, data=succession)
    assert "model.text_weight has no effect without item texts; add semantics: {name: tfidf}" in caplog.text
    assert not run.model.text.known
    caplog.clear()
    bare |= {"semantics": {"name": "tfidf", "template": "{title}"}, "output": bare["output"] + "-markov"}
    recpair.fit(bare | {"split": "leave_last", "model": "markov"}, data=succession, items=TITLES)
    assert "no component uses semantics; nothing is encoded" in caplog.text
    assert "text_weight" not in caplog.text


def test_a_damaged_matrix_is_refused(tmp_path, succession, bare):
    run = recpair.fit(bare | {"split": "leave_last", "model": "transitions"}, data=succession)
    path = run.folder / "model.safetensors"
    tensors, _ = read_tensors(path)
    tensors["transitions.indices"] += 30
    write_tensors(path, tensors)
    (run.folder / "manifest.json").unlink()  # as in runs of earlier versions, without checksums
    with pytest.raises(RunError, match="transitions is no sparse matrix"):
        recpair.load(run.folder)

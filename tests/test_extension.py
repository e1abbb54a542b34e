"""One component of each kind from outside the package: one definition each, and one line to name it."""

import numpy as np
import polars as pl
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

import recpair
from recpair.comparison import COMPARISONS, Comparison
from recpair.diagnostics import DIAGNOSTICS
from recpair.errors import ConfigError
from recpair.experiment.compare import comparison
from recpair.losses import positives
from recpair.plugins import SLOTS
from recpair.terms import Term
from recpair.testing import check_loss, check_metric, check_term


def rated(pos: Tensor, neg: Tensor, relevance: Tensor, *, best: float = 5.0) -> Float[Tensor, "Q P"]:
    """BPR, weighted by the rating of the positive."""
    return relevance / best * softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)


@positives(3)
def listed(pos: Tensor, neg: Tensor, present: Tensor) -> Float[Tensor, "Q"]:
    """Log-sum-exp over all pairs of a query."""
    gaps = (neg.unsqueeze(1) - pos.unsqueeze(2)).masked_fill(~present.unsqueeze(2), -torch.inf)
    return softplus(gaps.flatten(1).logsumexp(1))


class Spread(Term):
    """Alignment of the queries of MF with their positives."""

    def forward(self, queries, positive_vectors):
        return (queries.unsqueeze(1) - positive_vectors).square().sum(-1).mean()


class Cap(Term):
    """Penalty on item vectors longer than a bound."""

    def __init__(self, *, bound: float = 1.0) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, item_vectors):
        return (item_vectors.norm(dim=1) - self.bound).clamp_min(0).square().mean()


class Drift(Term):
    """Squared distance of the positives' scores from those of the reference."""

    def forward(self, pos, reference, batch):
        return (pos - reference.of(batch.positives)).square().mean()


def first_hit(hits) -> Float[np.ndarray, "B"]:
    """Share of lists whose first item is relevant."""
    return hits[:, 0].astype(np.float64)


def score_gap(pos, neg) -> dict[str, Tensor]:
    """Mean difference of positive and negative scores."""
    return {"score_gap": pos.mean() - neg.mean()}


def spread_of_means(results, metric, *, digits: int = 3) -> Comparison:
    """Difference of the best and the worst mean."""
    means = [float(each.per_user[metric].mean()) for each in results]
    return Comparison(pl.DataFrame({"spread": [round(max(means) - min(means), digits)]}), lambda: None)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Diagnostics and comparisons are added to their registries; what a config names is removed afterwards."""
    monkeypatch.setitem(DIAGNOSTICS, "score_gap", score_gap)
    monkeypatch.setitem(COMPARISONS, "spread", spread_of_means)
    yield
    for slot in SLOTS.values():
        for name in [name for name in slot.components() if name.startswith(f"{__name__}:")]:
            del slot.components()[name]


def test_one_of_each_trains_saves_loads_and_compares(checkerboard, quick):
    rating = 1.0 + checkerboard["item_id"].to_numpy() % 5
    events = checkerboard.with_columns(pl.Series("rating", rating))
    quick["evaluate"]["metrics"] = [first_hit, "hit", "ndcg"]
    quick["train"]["epochs"] = 25
    runs = []
    for number, loss in enumerate((rated, listed)):
        terms = [{"name": Spread, "weight": 0.01}, {"name": Cap, "weight": 0.1, "bound": 2.0}]
        run = recpair.fit(quick | {"output": f"{quick['output']}-{number}"}, loss=loss, terms=terms, data=events)
        logged = set(run.history["metric"])
        assert {"train/score_gap", "train/Spread", "train/Cap"} <= logged
        assert run.metrics["test"][f"{__name__}:first_hit@1"] == run.metrics["test"]["hit@1"] > 0.8
        assert recpair.load(run.folder).recommend(k=3).equals(run.recommend(k=3))
        runs.append(run.folder)
    assert comparison(runs, "ndcg@5", "spread", digits=9).table["spread"][0] >= 0
    with pytest.raises(recpair.RecpairError, match="rating"):
        recpair.fit(quick, loss=rated, data=checkerboard)


def test_the_contract_tests_run_over_them():
    for loss in (rated, listed):
        check_loss(loss)
    for term in (Spread, Cap):
        check_term(term)
    check_metric(first_hit)


def test_the_model_of_another_run_is_the_reference(checkerboard, quick):
    other = recpair.fit(quick | {"output": quick["output"] + "-other"}, ["train.epochs=20"], data=checkerboard)
    scores = {}
    for reference in ("null", str(other.folder)):
        terms = [{"name": Drift, "weight": 50.0}]
        run = recpair.fit(quick, [f"train.reference={reference}", "train.epochs=20"], terms=terms, data=checkerboard)
        scores[reference] = run.history.filter(pl.col("metric") == "train/Drift")["value"].to_list()
    assert scores["null"][0] < 0.1 * scores[str(other.folder)][0]  # the model begins at its reference
    assert scores[str(other.folder)][-1] < 0.1 * scores[str(other.folder)][0]  # and moves to the other run
    with pytest.raises(ConfigError, match="neither the loss nor a term uses a reference; drop it"):
        recpair.fit(quick, [f"train.reference={other.folder}"], data=checkerboard)
    fewer = checkerboard.filter(pl.col("user_id") < 30)
    with pytest.raises(ConfigError, match=r"a run on other users \(40, here 30\); expected a run on the same data"):
        recpair.fit(quick, [f"train.reference={other.folder}"], terms=terms, data=fewer)

"""The shipped contract tests pass for every registered component, and fail for components that break one property."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from recpair.data.item_lists import ItemLists
from recpair.denoising import DENOISERS, Choice
from recpair.errors import ConfigError
from recpair.evaluation.metrics import METRICS
from recpair.losses import LOSSES
from recpair.mining import MINERS
from recpair.models import MODELS, FittedModel
from recpair.models.ease import EASE, LinearScorer
from recpair.models.popularity import Popularity
from recpair.plugins import SLOTS
from recpair.terms import TERMS, Term
from recpair.testing import check_denoiser, check_loss, check_metric, check_miner, check_model, check_term


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses(name):
    check_loss(LOSSES[name])


@pytest.mark.parametrize("name", sorted(TERMS))
def test_terms(name):
    check_term(TERMS[name])


@pytest.mark.parametrize("name", sorted(DENOISERS))
def test_denoisers(name):
    check_denoiser(DENOISERS[name])


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metrics(name):
    check_metric(METRICS[name])


@pytest.mark.parametrize("name", sorted(MINERS))
def test_miners(name):
    check_miner(MINERS[name])
    check_miner(MINERS[name], candidates=3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models(name):
    check_model(MODELS[name], solve=not issubclass(MODELS[name], Popularity))


def test_popularity_does_not_solve_the_checkerboard():
    with pytest.raises(AssertionError, match=r"Popularity ranks the test item first for .*%"):
        check_model(MODELS["popularity"])


# Losses with one fault each


def mixing(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q P"]:
    return softplus(neg.mean(1, keepdim=True) - pos) + pos.mean(1, keepdim=True)


def of_another_shape(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q P"]:
    return softplus(neg.mean(1) - pos.mean(1))


def overflowing(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q P"]:
    return (neg.unsqueeze(1) - pos.unsqueeze(2)).exp().log1p().mean(-1)


def detached(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q P"]:
    return softplus(neg.mean(1, keepdim=True) - pos) * softplus(pos).detach()


def by_order_of_positives(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q"]:
    return softplus(neg.mean(1) - pos[:, 0])


def by_order_of_negatives(pos: Tensor, neg: Tensor) -> Float[Tensor, "Q P"]:
    return softplus(neg[:, :1] - pos)


def of_many_queries(pos: Tensor, neg: Tensor) -> Float[Tensor, ""]:
    return softplus(neg.mean() - pos.mean()) + pos.std() * 0


def without_default(pos: Tensor, neg: Tensor, *, margin: float) -> Float[Tensor, "Q P"]:
    return pos - margin


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (mixing, "column 0 depends on other positives"),
        (of_another_shape, r"returns \(8,\), expected \(8, 3\)"),
        (overflowing, "not finite for positives at"),
        (detached, "disagrees with finite differences"),
        (by_order_of_positives, "depends on the order of the positives"),
        (by_order_of_negatives, "depends on the order of the negatives"),
        (of_many_queries, "not finite for a single query"),
        (without_default, "option margin of without_default has no default"),
    ],
)
@pytest.mark.filterwarnings("ignore:std")
def test_a_loss_with_a_fault_is_found(loss, message):
    with pytest.raises(AssertionError, match=message), np.errstate(all="ignore"):
        check_loss(loss)


def test_names_that_are_not_supplied():
    def asking(pos, margin) -> Float[Tensor, "Q P"]:
        return pos

    with pytest.raises(ConfigError, match="asks for 'margin' before"):
        check_loss(asking)


def test_ratings_and_several_positives_are_supplied():
    def rated(pos: Tensor, neg: Tensor, relevance: Tensor, *, best: float = 5.0) -> Float[Tensor, "Q P"]:
        return relevance / best * softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)

    def listed(pos: Tensor, neg: Tensor, present: Tensor) -> Float[Tensor, "Q"]:
        gaps = (neg.unsqueeze(1) - pos.unsqueeze(2)).masked_fill(~present.unsqueeze(2), -torch.inf)
        return softplus(gaps.flatten(1).logsumexp(1))

    check_loss(rated, best=4.0)
    check_loss(listed)


# Terms


class Constant(Term):
    def forward(self, pos):
        return torch.ones((), requires_grad=True) * 2.0


class Unreduced(Term):
    def forward(self, pos):
        return pos.square()


class Unseeded(Term):
    def forward(self, item_vectors):
        return (item_vectors * torch.rand(item_vectors.shape)).sum()


class Saved(Term):
    def __init__(self, n_items):
        super().__init__()
        self.register_buffer("table", torch.zeros(n_items))

    def forward(self, item_vectors):
        return item_vectors.square().mean()


class Deviation(Term):
    def forward(self, pos):
        return pos.std()


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (Constant, "no parameter has a gradient"),
        (Unreduced, r"returns shape \(8, 1\), expected a scalar"),
        (Unseeded, "differs for the same seed"),
        (Saved, r"saves \['table'\]; register tables with persistent=False"),
        (Deviation, "not finite for a batch of 1"),
    ],
)
@pytest.mark.filterwarnings("ignore:std")
def test_a_term_with_a_fault_is_found(term, message):
    with pytest.raises(AssertionError, match=message):
        check_term(term)


# Denoisers


class Beyond:
    candidates, start_epoch = 2, 0

    def choose(self, pool):
        return Choice(torch.full_like(pool.rows[:, :1], 2))


class Negative(Beyond):
    def choose(self, pool):
        return Choice(torch.zeros_like(pool.rows[:, :1]), weights=-pool.losses[:, :1])


class Thrown(Beyond):
    def choose(self, pool):
        return Choice(torch.randint(2, pool.rows[:, :1].shape))


class Stateful(torch.nn.Module):
    candidates, start_epoch = 1, 0

    def __init__(self, n_events):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def choose(self, pool):
        return Choice(torch.zeros_like(pool.rows))


class Silent:
    candidates = 1


@pytest.mark.parametrize(
    ("denoiser", "message"),
    [
        (Beyond, "chooses column 2 of 2"),
        (Negative, "has negative weights"),
        (Thrown, "differs for the same seed"),
        (Stateful, r"expected shape \(72,\)"),
        (Silent, "lacks one of candidates, start_epoch and choose"),
    ],
)
def test_a_denoiser_with_a_fault_is_found(denoiser, message):
    with pytest.raises(AssertionError, match=message):
        check_denoiser(denoiser)


# Miners


class Outside:
    candidates = 2

    def choose(self, scores):
        return torch.full((len(scores), scores.shape[1] // 2), scores.shape[1])


class OneGroup(Outside):
    def choose(self, scores):
        return torch.zeros(len(scores), scores.shape[1] // 2, dtype=torch.int64)


class Drawn(Outside):
    def choose(self, scores):
        n = scores.shape[1] // 2
        return 2 * torch.arange(n) + torch.randint(2, (len(scores), n))


@pytest.mark.parametrize(
    ("miner", "message"),
    [(Outside, "chooses column 6 of 6"), (OneGroup, "one of each group"), (Drawn, "differs for the same seed")],
)
def test_a_miner_with_a_fault_is_found(miner, message):
    with pytest.raises(AssertionError, match=message):
        check_miner(miner)


# Metrics


def of_single_precision(hits) -> Float[np.ndarray, "B"]:
    return hits.mean(1, dtype=np.float32)


def one_value(hits) -> Float[np.ndarray, "B"]:
    return float(hits.mean())


def undefined(hits, n_relevant) -> Float[np.ndarray, "B"]:
    with np.errstate(all="ignore"):
        return hits.sum(1) / hits.sum(1)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (of_single_precision, "returns float32, expected float64"),
        (one_value, "returns float, expected an array"),
        (undefined, "is not finite"),
    ],
)
def test_a_metric_with_a_fault_is_found(metric, message):
    with pytest.raises(AssertionError, match=message):
        check_metric(metric)


# Models


class Forgetful(EASE):
    """EASE that keeps its weights outside the state dict."""

    def fit(self, interactions):
        super().fit(interactions)
        self.kept = self.weights.clone()
        self.weights.zero_()

    def score(self, batch):
        weights = getattr(self, "kept", self.weights)
        return LinearScorer(self.histories.rows(batch.user.cpu().numpy()), weights)


class Doubled(EASE):
    """EASE whose Scorer contradicts itself."""

    def score(self, batch):
        class Contradicting(LinearScorer):
            def of(self, items):
                return 2 * super().of(items)

        return Contradicting(self.histories.rows(batch.user.cpu().numpy()), self.weights)


class Short(EASE):
    """EASE that scores one unknown user only."""

    def fold_in(self, histories):
        return LinearScorer(ItemLists.of_lists(histories[:1]), self.weights)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Forgetful, "has learnt values outside its state dict"),
        (Doubled, r"differs between of\(\) and catalogue\(\)"),
        (Short, r"fold_in scores \(1, 40\) for 2 users"),
        (FittedModel, "abstract"),
    ],
)
def test_a_model_with_a_fault_is_found(model, message):
    with pytest.raises((AssertionError, TypeError), match=message):
        check_model(model, solve=False)
    assert not [name for name in SLOTS["model"].components() if name.startswith(__name__)]

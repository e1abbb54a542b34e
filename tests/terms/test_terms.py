"""What every contrast term owes, and each one's own arithmetic, on a small world with made-up neighbours."""

import numpy as np
import pytest
import torch
from torch import nn

from recpair.batch import Batch
from recpair.data.histories import before
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.models import SequenceModel
from recpair.models.dropout import Dropout
from recpair.models.layers import Embedding
from recpair.models.scorer import Vectors
from recpair.seeds import isolated
from recpair.semantics import Retrieved
from recpair.step import Step, Tables, supplied_names
from recpair.step import make as make_of
from recpair.terms import TERMS as ALL_TERMS
from recpair.terms.contrast.anchors import Anchors
from recpair.terms.contrast.duorec import SameTarget
from recpair.terms.contrast.iclrec import ICLRec
from recpair.terms.contrast.info_nce import info_nce
from recpair.terms.contrast.k_means import k_means, nearest_centre
from recpair.terms.contrast.prefixes import Prefixes
from recpair.terms.contrast.sra_cl import CrossUser
from recpair.terms.contrast.synthesiser import SYNTHESISERS, Learned, ScaledDot

N_USERS, N_ITEMS, LENGTH, DIM, SEMANTIC, K = 12, 20, 6, 8, 5, 3


class Sums(SequenceModel):
    """A place is the mean of what was taken up to it, with dropout; remembers how many histories it encoded."""

    def __init__(self, n_items=N_ITEMS, rate=0.2):
        super().__init__()
        self.history_length = LENGTH
        self.embedding = Embedding(n_items, DIM)
        self.dropout = Dropout(rate)
        self.encoded = []

    def encode(self, history):
        self.encoded.append(len(history))
        real = (history >= 0).unsqueeze(2)
        vectors = self.embedding(history.clamp_min(0)) * real
        return self.dropout(vectors.cumsum(1) / real.cumsum(1).clamp_min(1))

    def item_vectors(self):
        return self.embedding.weight


def training_events():
    """4 to 9 events of each of 12 users."""
    generator = np.random.default_rng(0)
    user = np.repeat(np.arange(N_USERS), generator.integers(4, 10, N_USERS))
    item = np.concatenate([generator.choice(N_ITEMS, n, replace=False) for n in np.bincount(user)])
    return Interactions.from_indices(user, item, np.arange(len(user)), vocabulary=Vocabulary.range(N_USERS, N_ITEMS))


TRAIN = training_events()
FOLLOWERS = np.flatnonzero(np.arange(len(TRAIN)) > TRAIN.indptr[TRAIN.user])  # rows that something precedes


def made_up(share_missing=0.3):
    """Vectors and neighbours drawn at random; a share of the neighbours is missing, always the last ones."""
    generator = np.random.default_rng(0)
    vectors = [generator.normal(size=(n, SEMANTIC)).astype(np.float32) for n in (N_ITEMS, len(TRAIN))]
    items = np.stack([generator.choice(np.delete(np.arange(N_ITEMS), i), K, replace=False) for i in range(N_ITEMS)])
    rows = np.stack([generator.choice(FOLLOWERS[r != FOLLOWERS], K, replace=False) for r in range(len(TRAIN))])
    for table in (items, rows):
        known = generator.binomial(K, 1 - share_missing, len(table))
        table[np.arange(K) >= known[:, None]] = -1
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    return Retrieved(unit[0], items.astype(np.int32), unit[1], rows.astype(np.int32))


TERMS = {name: term for name, term in ALL_TERMS.items() if "anchors" in supplied_names(term.forward)}


def world(train=TRAIN, retrieved=None):
    """What terms are made from."""
    found = made_up() if retrieved is None else retrieved
    return {"interactions": train, "embedding_dim": DIM, "history_length": LENGTH, "retrieved": found}


RETRIEVED = made_up()


def prefixes(rows):
    """A query before each of some training rows."""
    rows = np.asarray(rows)
    return batch_of(rows, before(TRAIN, rows, LENGTH), None)


def positions(rows):
    """The histories before some training rows, each place a query."""
    history = before(TRAIN, np.asarray(rows), LENGTH)
    at = np.flatnonzero(history >= 0)
    return batch_of(np.asarray(rows)[at // LENGTH] - (LENGTH - 1 - at % LENGTH), history, torch.from_numpy(at))


def batch_of(rows, history, at):
    user, item, rows = (torch.from_numpy(x.astype(np.int64)) for x in (TRAIN.user[rows], TRAIN.item[rows], rows))
    return Batch(user, item.unsqueeze(1), None, rows.unsqueeze(1), torch.from_numpy(history), at)


def step_of(model, batch):
    return Step(model, Tables(), batch, 1)


def value_of(term, model, batch, seed=0):
    """A term of a batch, and its gradient in the model's item vectors."""
    with isolated(seed):
        term.prepare(model)
        model.zero_grad()
        value = step_of(model, batch).supply(term.forward)
        value.backward()
    return value.detach(), model.embedding.weight.grad.clone()


@pytest.fixture
def model():
    with isolated(3):
        return Sums()


@pytest.fixture(params=sorted(TERMS))
def kind(request):
    return TERMS[request.param]


def make(kind, supplies=None, **options):
    with isolated(1):
        return make_of(kind, supplies or world(), **options)


BATCHES = {"prefixes": prefixes(FOLLOWERS[3:20]), "positions": positions(TRAIN.indptr[1:] - 1)}


@pytest.mark.parametrize("style", sorted(BATCHES))
def test_a_term_is_a_finite_scalar_with_a_gradient(kind, model, style):
    value, gradient = value_of(make(kind), model, BATCHES[style])
    assert value.ndim == 0
    assert value > 0
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_what_a_term_learns_has_a_gradient(kind, model):
    term = make(kind)
    value_of(term, model, BATCHES["prefixes"])
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in term.parameters())
    assert len(list(term.parameters())) == (2 if kind is CrossUser else 0)


def test_a_term_follows_from_the_seed(kind, model):
    first, again, other = (value_of(make(kind), model, BATCHES["prefixes"], seed) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("rows", [FOLLOWERS[[0, 9]], FOLLOWERS[[4]]])
def test_small_batches_are_no_problem(kind, model, rows):
    value, gradient = value_of(make(kind), model, prefixes(rows))
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


def test_nobody_needs_neighbours(kind, model):
    lonely = world(retrieved=made_up(share_missing=1.0))
    assert (lonely["retrieved"].history_neighbours == -1).all()
    value, gradient = value_of(make(kind, lonely), model, BATCHES["prefixes"])
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("mask", ["user", "target", "both"])
def test_masking_lowers_the_loss(kind, model, mask):
    """Fewer negatives, same draws; the batch holds histories of one user and of one target."""
    masked, plain = (value_of(make(kind, mask=m), model, BATCHES["prefixes"])[0] for m in (mask, "none"))
    if kind.__name__ != "CWCL":  # whose positives they are, too
        assert masked < plain


def test_held_out_items_reach_no_term(kind, model):
    """Items that nobody took in training: their vectors are poisoned with NaN, and no term notices.

    Correlations, same-target histories, prototypes and neighbour histories come from training events alone; the
    tables of the semantic stage name training rows. The poisoned items are in no semantic neighbour list here
    because the semantic stage is not under test.
    """
    clean = value_of(make(kind), model, BATCHES["prefixes"])
    with isolated(3):
        poisoned = Sums(N_ITEMS + 4)
    poisoned.embedding.weight.data[:N_ITEMS] = model.embedding.weight.data
    poisoned.embedding.weight.data[N_ITEMS:] = torch.nan
    train = Interactions.from_indices(
        TRAIN.user, TRAIN.item, TRAIN.time, vocabulary=Vocabulary.range(N_USERS, N_ITEMS + 4)
    )
    value, gradient = value_of(make(kind, world(train)), poisoned, BATCHES["prefixes"])
    assert torch.equal(value, clean[0])
    assert torch.equal(gradient[:N_ITEMS], clean[1])
    assert (gradient[N_ITEMS:] == 0).all()


# Anchors and prefixes


def test_anchors_of_both_styles_are_the_same(model):
    model.eval()
    last = TRAIN.indptr[1:] - 1
    one, other = (Anchors.of(model.score(batch), batch) for batch in (prefixes(last), BATCHES["positions"]))
    for name in ("vectors", "history", "user", "row", "target"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))


def test_prefixes_are_what_histories_are():
    rows = np.arange(len(TRAIN))
    mine, theirs = Prefixes(TRAIN, LENGTH).of(torch.from_numpy(rows)).numpy(), before(TRAIN, rows, LENGTH)
    np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(Prefixes(TRAIN, LENGTH).of(torch.from_numpy(rows[:2])).numpy(), theirs[:2, -1:])


def test_false_negatives_are_pairs_with_something_in_common():
    anchors = Anchors(
        torch.zeros(3, 1), torch.zeros(3, 1).long(), *map(torch.tensor, ([1, 1, 2], [0, 1, 2], [7, 8, 7]))
    )
    user = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    target = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).bool()
    assert anchors.false_negatives("none") is None
    assert torch.equal(anchors.false_negatives("user"), user)
    assert torch.equal(anchors.false_negatives("target"), target)
    assert torch.equal(anchors.false_negatives("both"), user | target)


# SRA-CL


def test_synthesiser_weights_are_the_authors(golden):
    """Their numbers are given after the projection, so the projection here is the identity."""
    numbers = golden("sra_cl")["synthesizer"]
    projected = torch.tensor(numbers["projected"])
    synthesiser = Learned(8, 8, 0.5).eval()
    synthesiser.projection.data = torch.eye(8)
    synthesiser.attention.data = torch.tensor(numbers["a"]).view(2, 8)
    queries = torch.tensor(numbers["queries"])
    neighbours = torch.tensor(numbers["neighbours"])[queries]
    weights = synthesiser(projected[queries], projected, neighbours, torch.ones_like(neighbours, dtype=torch.bool))
    torch.testing.assert_close(weights, torch.tensor(numbers["weights"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(SYNTHESISERS))
def test_weights_are_shares_of_the_known(name):
    with isolated(0):
        synthesiser = SYNTHESISERS[name](SEMANTIC, DIM, 0.5).eval()
        anchors, others = torch.randn(4, SEMANTIC), torch.randn(7, SEMANTIC)
    known = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]).bool()
    weights = synthesiser(anchors, others, torch.randint(7, (4, 3)), known)
    assert (weights[~known] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    if name == "nearest":
        assert (weights[:, 0] == 1).all()
    if name == "mean":
        torch.testing.assert_close(weights[2], torch.tensor([0.5, 0.5, 0.0]))


def test_scaled_dot_against_a_loop():
    with isolated(0):
        synthesiser = ScaledDot(SEMANTIC, DIM, 0.0)
        anchors, others = torch.randn(2, SEMANTIC), torch.randn(4, SEMANTIC)
    neighbours = torch.tensor([[0, 3], [2, 1]])
    weights = synthesiser(anchors, others, neighbours, torch.ones(2, 2, dtype=torch.bool))
    for a in range(2):
        logits = [synthesiser.query(anchors[a]) @ synthesiser.key(others[n]) / DIM**0.5 for n in neighbours[a]]
        torch.testing.assert_close(weights[a], torch.stack(logits).softmax(0))


@pytest.mark.parametrize("synthesiser", sorted(SYNTHESISERS))
def test_synthesised_positives_against_a_loop(model, synthesiser):
    """Σ of weight · vector over each anchor's own neighbours, encoded one at a time; itself where there are none."""
    model.eval()
    term = make(CrossUser, synthesiser=synthesiser).eval()
    batch = BATCHES["prefixes"]
    anchors = Anchors.of(model.score(batch), batch)
    positives = term.positives(model, anchors)
    semantic = torch.from_numpy(RETRIEVED.history_vectors)
    alone = 0
    for a, row in enumerate(anchors.row.tolist()):
        near = [n for n in RETRIEVED.history_neighbours[row].tolist() if n >= 0]
        near = near[:1] if synthesiser == "nearest" else near
        alone += not near
        near = near or [row]
        index = torch.arange(len(near)).unsqueeze(0)
        known = torch.ones_like(index, dtype=torch.bool)
        weights = term.synthesiser(semantic[[row]], semantic[near], index, known)[0]
        vectors = [model.encode(torch.from_numpy(before(TRAIN, np.array([n]), LENGTH)))[0, -1] for n in near]
        torch.testing.assert_close(positives[a], weights @ torch.stack(vectors))
    assert alone > 0  # the world has such histories


def test_each_neighbour_is_encoded_once_and_no_anchor_again(model):
    batch = BATCHES["prefixes"]
    rows = RETRIEVED.history_neighbours[batch.rows[:, 0].numpy()]
    alone = batch.rows[:, 0].numpy()[(rows < 0).all(1)]
    scorer = model.score(batch)
    model.encoded.clear()
    step = step_of(model, batch).on(batch, scorer=scorer)
    model.encoded.clear()
    step.supply(make(CrossUser).forward)
    assert model.encoded == [len({*rows[rows >= 0].tolist(), *alone.tolist()})]
    assert model.encoded[0] < (rows >= 0).sum()  # some are shared


# The others


def test_another_history_with_the_same_target():
    same, rows = SameTarget(TRAIN), torch.from_numpy(FOLLOWERS)
    target = torch.from_numpy(TRAIN.item[FOLLOWERS].astype(np.int64))
    torch.manual_seed(0)
    drawn = torch.stack([same.draw(rows, target) for _ in range(200)])
    for i, row in enumerate(FOLLOWERS):
        others = {r for r in FOLLOWERS if TRAIN.item[r] == TRAIN.item[row] and r != row}
        assert set(drawn[:, i].tolist()) == (others or {row})


def test_duorec_by_dropout_alone_needs_dropout(model):
    batch, term = BATCHES["prefixes"], make(TERMS["duorec"], views="dropout")
    still = Sums(rate=0.0)
    still.load_state_dict(model.state_dict())
    vectors = still.score(batch).queries
    torch.testing.assert_close(value_of(term, still, batch)[0], info_nce(vectors, vectors).detach())
    assert not torch.allclose(value_of(term, model, batch)[0], info_nce(vectors, vectors).detach())


def test_k_means_finds_separate_clusters():
    with isolated(0):
        middles = 10 * torch.eye(4, 6)
        vectors = middles.repeat_interleave(25, 0) + 0.1 * torch.randn(100, 6)
        centres = min((k_means(vectors, 4, 4) for _ in range(12)), key=lambda c: spread(vectors, c))
    expected = torch.stack([vectors[i * 25 : (i + 1) * 25].mean(0) for i in range(4)])
    torch.testing.assert_close(centres[nearest_centre(expected, centres)], expected)


def spread(vectors, centres):
    return (vectors - centres[nearest_centre(vectors, centres)]).square().sum().item()


def test_an_iteration_of_k_means_never_spreads():
    vectors = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    spreads = []
    for iterations in range(6):
        with isolated(1):
            spreads.append(spread(vectors, k_means(vectors, 8, iterations)))
    assert spreads == sorted(spreads, reverse=True)
    assert k_means(vectors[:3], 8, 2).shape == (3, 5)


def test_intents_against_a_loop(model):
    """Two InfoNCE of a view and its prototype; the views are the history itself."""
    batch = BATCHES["prefixes"]
    term = make(ICLRec, intents=4, crop=1.0, mask_items=0.0, reorder=0.0, between_views=0.0, mask_same_intent=False)
    model.eval()
    with isolated(0):
        term.prepare(model)
        value = step_of(model, batch).supply(term.forward)
    queries = model.score(batch).queries
    distances = torch.stack([(queries - centre).square().sum(1) for centre in term.centres], 1)
    towards = nn.functional.normalize(term.centres, dim=1)[distances.argmin(1)]
    torch.testing.assert_close(value, info_nce(queries, towards))


def test_prototypes_move_with_the_model(model):
    term = make(ICLRec, intents=4)
    with isolated(0):
        term.prepare(model)
        first = term.centres
        assert model.training
    model.embedding.weight.data *= 2
    with isolated(0):
        term.prepare(model)
    torch.testing.assert_close(term.centres, 2 * first)


def test_soft_weights_are_one_for_oneself_and_sharpen_to_info_nce(model):
    batch = BATCHES["prefixes"]
    rows = batch.rows[:, 0]
    semantic = torch.from_numpy(RETRIEVED.history_vectors)[rows]
    weights = make(TERMS["cwcl"]).weights(rows)
    off = ~torch.eye(len(rows), dtype=torch.bool)
    torch.testing.assert_close(weights[off], ((1 + semantic @ semantic.T) / 2)[off], atol=1e-6, rtol=1e-5)
    assert (weights.diag() == 1).all()
    still = Sums(rate=0.0)
    sharp = value_of(make(TERMS["cwcl"], sharpness=1e4, replacement=0.0), still, batch)[0]
    queries = Vectors(still.score(batch).queries.detach(), still.item_vectors()).queries
    torch.testing.assert_close(sharp, info_nce(queries, queries, temperature=0.07, similarity="cosine"))

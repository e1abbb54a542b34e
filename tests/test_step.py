"""The step supplies by name: the legend, the kinds of losses, terms for every model, several positives."""

import gc
import math
import weakref
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

import recpair
from recpair.batch import Batch
from recpair.data.features import Features
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.denoising import DENOISERS, Pool
from recpair.denoising.dcf import DCF
from recpair.denoising.r_ce import RCE
from recpair.denoising.t_ce import TCE
from recpair.diagnostics import DIAGNOSTICS
from recpair.errors import ConfigError, DataError
from recpair.experiment.build import build
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.experiment.requirements import MESSAGES, gives, needs
from recpair.losses import LOSSES, kind_of, pointwise
from recpair.mining import MINERS
from recpair.models import MODELS
from recpair.models.mf import MF
from recpair.seeds import isolated
from recpair.step import SUPPLIES, Step, Tables, supplied_names
from recpair.terms import TERMS
from recpair.training.bound_loss import BoundLoss
from recpair.training.meters import Meters
from recpair.training.objective import DIAGNOSED_EVERY, Objective

TRAIN = Interactions.from_indices(
    np.repeat(np.arange(5), 4), np.arange(20) % 9, None, np.arange(20) % 5 + 1.0, vocabulary=Vocabulary.range(5, 9)
)


@pytest.fixture
def model():
    with isolated(0):
        made = MF(TRAIN, embedding_dim=4, init="normal", init_std=1.0)
    return made


def batch_of(positives=1, negatives=3, queries=6):
    draw = torch.Generator().manual_seed(1)
    rows = torch.randint(20, (queries, positives), generator=draw)
    item = torch.from_numpy(TRAIN.item).long()[rows]
    user = torch.from_numpy(TRAIN.user).long()[rows[:, 0]]
    return Batch(user, item, torch.randint(9, (queries, negatives), generator=draw), rows)


def components():
    for term in TERMS.values():
        yield from (term, term.forward)
    yield from LOSSES.values()
    yield from (miner.choose for miner in MINERS.values())
    yield from DIAGNOSTICS.values()


def test_no_component_asks_for_anything_that_the_legend_lacks():
    asked = {name for component in components() for name in supplied_names(component)}
    assert asked <= set(SUPPLIES)
    built = {name for name, supply in SUPPLIES.items() if supply.building}
    assert {name for model in MODELS.values() for name in supplied_names(model)} <= built
    assert {supply.needs for supply in SUPPLIES.values()} - {None} <= {
        *MESSAGES,
        "ratings",
        "categories",
        "item_features",
    }


def test_every_value_of_a_step_is_in_the_legend_and_computed_once(model):
    step = Step(model, Tables(item_counts=torch.from_numpy(TRAIN.item_counts)), batch_of(2), 3)
    values = {name for name in vars(Step) if not name.startswith("_")} - {"on", "look", "supply", "vectors"}
    assert values <= set(SUPPLIES)
    assert step.pos is step.pos
    assert step.n_items == 9
    assert step.n_negatives == 3
    assert step.positive_vectors.shape == (6, 2, 4)
    torch.testing.assert_close((step.queries.unsqueeze(1) * step.positive_vectors).sum(-1), step.pos)


def test_values_have_gradients_wherever_they_are_first_asked_for(model):
    step = Step(model, Tables(), batch_of(), 1)
    with torch.no_grad():
        assert step.neg.requires_grad
        assert not step.look().pos.requires_grad
    assert step.pos.requires_grad


def test_repeated_positives_are_not_present(model):
    batch = batch_of(3)
    batch.rows[0] = torch.tensor([4, 4, 7])
    step = Step(model, Tables(), batch, 1)
    assert step.present[0].tolist() == [True, False, True]


# Kinds of losses


def squared_negative(s):
    return s.square()


@pointwise(squared_negative)
def squared(s: Tensor) -> Float[Tensor, "Q P"]:
    """(1 − s⁺)² + Σ (s⁻)²."""
    return (1 - s).square()


def log_sum_of_a_list(pos: Tensor, neg: Tensor, present: Tensor) -> Float[Tensor, "Q"]:
    """log(1 + Σ e^(s⁻ − s⁺)) over all pairs of a query: with one positive, sampled softmax."""
    gaps = (neg.unsqueeze(1) - pos.unsqueeze(2)).masked_fill(~present.unsqueeze(2), -torch.inf)
    return softplus(gaps.flatten(1).logsumexp(1))


def spread_of_a_batch(pos: Tensor, neg: Tensor) -> Float[Tensor, ""]:
    return softplus(neg.mean() - pos.mean())


def rated(pos: Tensor, neg: Tensor, relevance: Tensor, *, best: float = 5.0) -> Float[Tensor, "Q P"]:
    return relevance / best * softplus(neg.unsqueeze(1) - pos.unsqueeze(2)).mean(-1)


def unannotated(pos, neg):
    return pos


def test_kinds_are_those_of_the_return_annotation():
    assert [kind_of(f) for f in (squared, log_sum_of_a_list, spread_of_a_batch, LOSSES["softmax"])] == [
        "Q P",
        "Q",
        "",
        "Q P",
    ]
    with pytest.raises(ConfigError, match=r'unannotated needs a return annotation .*"Q P".*"Q".*""'):
        kind_of(unannotated)


def loss_of(model, loss, batch, denoiser=None, epoch=1, **tables):
    objective = Objective(model, loss, denoiser, tables=Tables(**tables))
    return objective(**vars(batch), epoch=epoch)["loss"].item()


def sides(model, batch):
    with torch.no_grad():
        step = Step(model, Tables(), batch, 1)
        return (1 - step.pos).square(), step.neg.square(), step.pos, step.neg


def test_a_squared_loss_is_weighed_by_r_ce_on_each_side(model):
    """weight of a side: e^(−α · its own loss); what was wrong before was softplus in place of the square."""
    batch = batch_of()
    positive, negative, *_ = sides(model, batch)
    expected = (positive * (-0.5 * positive).exp()) + (negative * (-0.5 * negative).exp()).sum(1, keepdim=True)
    assert loss_of(model, squared, batch, RCE(alpha=0.5)) == pytest.approx(expected.mean().item(), rel=1e-5)


def test_a_squared_loss_is_truncated_by_t_ce(model):
    batch = batch_of()
    positive, negative, *_ = sides(model, batch)
    dropped = positive.numel() + negative.numel() - int(0.75 * (positive.numel() + negative.numel()))
    kept = torch.ones_like(positive)
    kept[positive.flatten().topk(dropped).indices] = 0
    expected = (positive * kept + negative.sum(1, keepdim=True)).mean()
    found = loss_of(model, squared, batch, TCE(drop_rate=0.25, grow_epochs=1))
    assert found == pytest.approx(expected.item(), rel=1e-5)


def test_a_squared_loss_is_relabelled_by_dcf(model):
    """The largest losses train as negatives: their side is s², not softplus(s)."""
    batch = batch_of()
    positive, negative, pos, _ = sides(model, batch)
    choice = DCF(20, drop_rate=0.5, relabel_rate=0.34, grow_epochs=1, start_epoch=0)
    pool = Pool(positive, batch.rows, 1, negative)
    chosen = choice.choose(pool)
    assert chosen.relabelled.any()
    side = torch.where(chosen.relabelled, pos.square(), positive) * chosen.weights
    expected = (side + negative.sum(1, keepdim=True)).mean()
    denoiser = DCF(20, drop_rate=0.5, relabel_rate=0.34, grow_epochs=1, start_epoch=0)
    assert loss_of(model, squared, batch, denoiser) == pytest.approx(expected.item(), rel=1e-5)


def test_a_setwise_loss_of_one_positive_is_a_candidate_wise_one(model):
    batch = batch_of(1)
    softmax = loss_of(model, LOSSES["sampled_softmax"], batch)
    assert loss_of(model, log_sum_of_a_list, batch) == pytest.approx(softmax, rel=1e-6)


def test_a_setwise_loss_sees_all_positives_and_denoisers_see_each_alone(model):
    batch = batch_of(3)
    with torch.no_grad():
        step = Step(model, Tables(), batch, 1)
        naive = []
        for q in range(len(batch)):
            seen, gaps = set(), []
            for p in range(3):
                if (row := int(batch.rows[q, p])) not in seen:
                    gaps += [math.exp(n - step.pos[q, p].item()) for n in step.neg[q].tolist()]
                seen.add(row)
            naive.append(math.log(1 + sum(gaps)))
        each = BoundLoss(log_sum_of_a_list).per_candidate(step)
        alone = BoundLoss(LOSSES["sampled_softmax"])(step)
    assert loss_of(model, log_sum_of_a_list, batch) == pytest.approx(np.mean(naive), rel=1e-5)
    torch.testing.assert_close(each, alone)


def test_the_best_of_several_candidates_trains_under_a_cold_pld(model):
    batch = batch_of(3)
    with torch.no_grad():
        each = BoundLoss(LOSSES["sampled_softmax"])(Step(model, Tables(), batch, 1))
    denoiser = DENOISERS["pld"](20, candidates=3, temperature=1e-6, start_epoch=0)
    assert loss_of(model, log_sum_of_a_list, batch, denoiser) == pytest.approx(
        each.min(1).values.mean().item(), rel=1e-5
    )


def test_a_batchwise_loss(model):
    batch = batch_of(2)
    with torch.no_grad():
        step = Step(model, Tables(), batch, 1)
        expected = softplus(step.neg.mean() - step.pos.mean()).item()
    assert loss_of(model, spread_of_a_batch, batch) == pytest.approx(expected, rel=1e-6)


def test_ratings_are_supplied_by_the_training_row(model):
    batch = batch_of(2)
    with torch.no_grad():
        each = LOSSES["bpr"](*(getattr(Step(model, Tables(), batch, 1), name) for name in ("pos", "neg")))
    rating = torch.from_numpy(TRAIN.rating)
    expected = (rating[batch.rows] / 2.0 * each).mean().item()
    assert loss_of(model, BoundLoss(rated, {"best": 2.0}), batch, relevance=rating) == pytest.approx(expected, rel=1e-6)


# Terms and configs


@pytest.mark.parametrize("model", ["mf", "lightgcn"])
def test_direct_au_alone_solves_the_checkerboard(model, checkerboard, quick):
    quick |= {"model": {"name": model, "embedding_dim": 8, "init": "normal", "similarity": "cosine"}, "loss": "none"}
    quick |= {"terms": [{"name": "direct_au", "weight": 1.0, "gamma": 0.5}]}
    run = recpair.fit(quick, ["train.epochs=60"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] > 0.9
    logged = run.history.filter(pl.col("metric") == "train/alignment")
    assert logged["value"][-1] < logged["value"][0]


def test_items_of_like_meaning_are_not_pushed_apart(checkerboard, quick, tmp_path):
    """Meanings that say nothing of tastes: items of one meaning and two colours are nearer with soft weights."""
    half = np.arange(40) // 20
    vectors = np.concatenate([np.stack([half, 1 - half], axis=1), 0.3 * np.eye(40)], axis=1).astype(np.float32).tolist()
    pl.DataFrame({"item_id": range(40), "vector": vectors}).write_parquet(tmp_path / "v.parquet")
    quick |= {"semantics": {"name": "file", "path": str(tmp_path / "v.parquet"), "k": 3}, "loss": "none"}
    near = []
    for sharpness in (8.0, 1e4):
        term = {"name": "cwcl_items", "weight": 1.0, "sharpness": sharpness}
        out = f"output={quick['output']}-{sharpness}"
        run = recpair.fit(quick | {"terms": [term]}, ["train.epochs=20", out], data=checkerboard)
        items = torch.nn.functional.normalize(run.model.item_embedding.weight.detach(), dim=1)
        near.append((items[:20:2] @ items[1:20:2].T).mean().item())
    assert near[0] > near[1] + 0.05


def test_train_l2_is_the_term_l2(checkerboard, quick):
    by_key = recpair.fit(quick, ["train.l2=0.01"], data=checkerboard)
    quick["output"] += "-term"
    by_term = recpair.fit(quick | {"terms": [{"name": "l2", "weight": 0.01}]}, data=checkerboard)
    assert by_key.config["terms"] == by_term.config["terms"]
    assert torch.equal(by_key.model.item_embedding.weight, by_term.model.item_embedding.weight)


def test_earlier_names_are_understood_with_a_note(quick):
    config = load_config(quick | {"contrast": ["l2"]}, ["contrast.0.weight=0.5"])
    assert config["terms"] == [{"name": "l2", "weight": 0.5, "label": None}]
    assert "contrast is understood as terms" in config.notes
    noted = load_config(quick, ["train.reg_weight=0.2"])
    assert noted["terms"][0]["weight"] == 0.2
    assert load_config(noted)["terms"] == noted["terms"]
    with pytest.raises(ConfigError, match="contrast and terms are the same"):
        load_config(quick | {"contrast": [], "terms": []})
    with pytest.raises(ConfigError, match=r"train\.l2: expected a number of at least 0"):
        load_config(quick, ["train.l2=-1"])


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_what_has_one_legal_value_is_inferred(name):
    config = load_config({"model": name, "data": {"path": "x.csv"}})
    assert config["sampler"]["name"] == "sequences"
    whole = load_config({"model": name, "loss": "softmax", "data": {"path": "x.csv"}})
    assert whole["sampler"]["negatives"] == "all"
    assert load_config({"loss": "softmax", "data": {"path": "x.csv"}})["sampler"]["name"] == "pairs"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"terms": ["direct_au"], "model": "neumf"},
            "terms.0.name is direct_au, which needs vectors of queries and items",
        ),
        ({"terms": ["duorec"]}, "terms.0.name is duorec, which needs histories, which model mf does not read"),
        ({"terms": ["cwcl_items"]}, "terms.0.name is cwcl_items, which needs semantic neighbours"),
        ({"loss": "none", "denoise": "pld"}, "denoise.name is pld, but loss none is one number for a batch"),
        (
            {"loss": "softmax", "sampler": {"negatives": "uniform"}},
            "loss.name is softmax, which needs the scores of the whole",
        ),
        ({"loss": "bpr", "sampler": {"negatives": "all"}}, "sampler.negatives is 'all', which loss bpr cannot use"),
        ({"sampler": {"n_positives": 2}, "denoise": "pld"}, "sampler.n_positives is 2, but denoise.candidates needs 5"),
    ],
)
def test_what_a_component_lacks_is_named(quick, change, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        load_config(quick | change)


def test_several_positives_train_together(checkerboard, quick):
    quick["sampler"] |= {"n_positives": 4, "queries": "users"}
    run = recpair.fit(quick, ["train.epochs=15", "train.audit_from=1"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] > 0.8
    losses = pl.read_parquet(run.folder / "audit.parquet")
    assert losses["visits"].sum() == losses["chosen"].sum() == 4 * 720 * run.metrics["best_epoch"]


def test_models_give_what_their_classes_say():
    assert gives(MF) == {"scores", "vectors", "users"}
    assert needs(TERMS["direct_au"].forward) == {"vectors"}


def test_item_features_are_aligned_and_standardised():
    table = pl.DataFrame(
        {"item_id": [3, 1, 9], "genres": [["b", "x"], ["a"], ["z"]], "price": [4.0, None, 1.0], "year": [1, 3, 5]}
    )
    found = Features.of_items(table, Ids("item", pl.Series([1, 2, 3])))
    assert found.names == ("price", "year")
    assert found.category.tolist() == [0, -1, 1]
    price = (4.0 - 2.5) / 1.5
    np.testing.assert_allclose(found.numbers, [[0, 0], [0, 0], [price, -np.sqrt(1.5)]], atol=1e-6)


def test_what_the_data_lacks_is_named(checkerboard, quick, monkeypatch):
    monkeypatch.setitem(LOSSES, "rated", rated)
    with pytest.raises(DataError, match=r"has no rating for each training event.*data\.columns\.rating"):
        recpair.fit(quick | {"loss": "rated"}, data=checkerboard)
    stars = checkerboard.with_columns(rating=pl.col("item_id") % 5 + 1.0)
    assert recpair.fit(quick | {"loss": {"name": "rated", "best": 3.0}}, data=stars).config["loss"]["best"] == 3.0


def test_diagnostics_look_at_sampled_steps_and_their_mean_is_over_those(model):
    looks = []

    def count(queries):
        looks.append(len(queries))
        return {"looked": torch.tensor(float(len(looks)))}

    objective = Objective(model, LOSSES["bpr"], diagnostics=[count])
    fabric = SimpleNamespace(world_size=1)
    meters = Meters(fabric)
    objective.prepare()
    for _ in range(2 * DIAGNOSED_EVERY):
        batch = batch_of()
        meters.add(objective(**vars(batch), epoch=1), len(batch))
    means, queries = meters.close()
    assert len(looks) == 2
    assert means["looked"] == 1.5
    assert queries == 2 * DIAGNOSED_EVERY * 6


def test_what_a_run_has_made_is_freed_with_it(checkerboard, quick):
    """Signatures are read once a function, and do not keep the objects that they belong to."""
    checked = load_config(quick | {"terms": ["l2", "direct_au"], "hard_negatives": "dns"})
    objective = build(checked, prepare(checked, checkerboard)).objective
    batch = batch_of(negatives=8)
    objective(**vars(batch), epoch=1)
    watched = [weakref.ref(part) for part in (objective, objective.miner, *objective.learnt_terms.values())]
    del objective
    gc.collect()
    assert [part() for part in watched] == [None] * 4

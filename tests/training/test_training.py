"""The loop: what it minimises, that it stops, that it resumes, and that it repeats itself."""

import math
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import torch
import yaml

import recpair
from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.denoising import DENOISERS
from recpair.denoising.pld import PLD
from recpair.errors import ConfigError, RunError
from recpair.experiment.compare import compare
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare
from recpair.experiment.requirements import needs
from recpair.files import read_tensors
from recpair.losses import LOSSES, kind_of
from recpair.losses.bpr import bpr
from recpair.models.mf import MF
from recpair.seeds import derive, isolated
from recpair.terms.regularisers.l2 import L2
from recpair.training.checkpoint import Checkpoint
from recpair.training.inspection import held_out_losses
from recpair.training.objective import Objective
from recpair.training.progress import Progress

OVER_CATALOGUE = {name for name, loss in LOSSES.items() if "catalogue" in needs(loss)}
OF_PAIRS = {name for name, loss in LOSSES.items() if kind_of(loss) == "Q P"}


@pytest.fixture
def objective(checkerboard):
    train = Interactions.from_polars(checkerboard.filter(checkerboard["split"] == "train"))
    with isolated(0):
        return Objective(MF(train, embedding_dim=4), bpr, terms={"l2": (0.5, L2())})


def arguments(positives=1):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randint(40, shape, generator=generator)  # noqa: E731
    return draw(6), draw(6, positives), draw(6, 1), draw(6, positives)


def test_the_loss_is_the_recommendation_and_the_norms_of_the_batch(objective):
    user, positives, negatives, rows = arguments()
    parts = objective(user, positives, negatives, rows, epoch=1)
    u, i = objective.model.user_embedding.weight, objective.model.item_embedding.weight
    gaps = ((u[user] * i[positives[:, 0]]).sum(1) - (u[user] * i[negatives[:, 0]]).sum(1)).tolist()
    norms = sum(v.square().sum(1).mean() for v in (u[user], i[positives[:, 0]], i[negatives[:, 0]])).item()
    recommendation = np.mean([math.log1p(math.exp(-gap)) for gap in gaps])
    assert parts["recommendation"].item() == pytest.approx(recommendation, rel=1e-5)
    assert parts["l2"].item() == pytest.approx(0.5 * norms, rel=1e-5)
    assert parts["loss"].item() == pytest.approx(recommendation + 0.5 * norms, rel=1e-5)


def test_a_denoiser_waits_for_its_epoch_and_then_trains_on_its_choice(objective):
    user, positives, negatives, rows = arguments(positives=5)
    objective.denoiser, objective.terms = PLD(temperature=1e-6, start_epoch=3), {}
    losses, _ = objective.inspect(Batch(user, positives, negatives, rows), 4)
    before = objective(user, positives, negatives, rows, epoch=3)
    after = objective(user, positives, negatives, rows, epoch=4)
    assert before["loss"].item() == pytest.approx(losses[:, 0].mean().item())
    assert after["loss"].item() == pytest.approx(losses.min(1).values.mean().item())
    assert "pool_entropy" in after
    assert "pool_entropy" not in before


def test_the_share_of_injected_noise_is_counted(objective):
    user, positives, negatives, rows = arguments(positives=2)
    objective.denoiser = PLD(temperature=1e-6, start_epoch=0)
    objective.tables.noise = torch.arange(40) < 20
    parts = objective(user, positives, negatives, rows, epoch=1)
    assert parts["noise_share_drawn"].item() == pytest.approx((rows < 20).float().mean().item())
    assert 0 <= parts["noise_share_chosen"].item() <= 1


@pytest.mark.parametrize("loss", sorted(OF_PAIRS))
@pytest.mark.parametrize("denoiser", [None, *sorted(DENOISERS)])
def test_every_loss_trains_with_every_denoiser(loss, denoiser, checkerboard, quick):
    quick["sampler"] |= {
        "n_negatives": 3,
        "queries": "users",
        "negatives": "all" if loss in OVER_CATALOGUE else "uniform",
    }
    quick |= {"loss": loss, "denoise": denoiser}
    quick["train"]["audit_from"] = 1
    run = recpair.fit(quick, ["train.epochs=25"], data=checkerboard)
    assert run.metrics["test"]["hit@1"] > 0.8
    losses = run.history.filter(pl.col("metric") == "train/loss")["value"]
    assert losses[-1] < losses[0]


def test_training_stops_when_nothing_gets_better_and_keeps_the_best(checkerboard, quick):
    run = recpair.fit(quick, ["train.epochs=200", "train.patience=3", "evaluate.monitor=hit@1"], data=checkerboard)
    values = run.history.filter(pl.col("metric") == "valid/hit@1")["value"].to_list()
    assert run.metrics["epochs"] == run.metrics["best_epoch"] + 3 == len(values) < 200
    assert values.index(max(values)) + 1 == run.metrics["best_epoch"]
    assert run.metrics["valid"]["hit@1"] == max(values)


def test_without_a_monitor_all_but_the_test_trains_and_the_last_epoch_is_kept(checkerboard, quick):
    chosen = recpair.fit(quick, ["train.epochs=6"], data=checkerboard)
    quick["output"] += "-whole"
    run = recpair.fit(quick, ["train.epochs=6", "train.patience=1", "evaluate.monitor=null"], data=checkerboard)
    assert run.metrics["best_epoch"] == run.metrics["epochs"] == 6
    assert run.metrics["valid"] == {}
    assert not any(name.startswith("valid/") for name in run.history["metric"])
    held = prepare(load_config(chosen.config), checkerboard)
    assert len(held.valid) > 0
    assert len(run.recommender.train) == len(held.train) + len(held.valid)
    assert "The last of 6 epochs" in (run.folder / "SUMMARY.md").read_text()
    assert (run.folder / "plots" / "curves.png").exists()
    with pytest.raises(ConfigError, match=r"evaluate\.monitor cannot change"):
        recpair.evaluate(run, ["evaluate.monitor=ndcg@2"], data=checkerboard)


@pytest.mark.parametrize("model", ["mf", "item_knn"])
def test_the_whole_split_trains_on_every_event_and_measures_nothing(model, checkerboard, quick):
    """What is shipped knows all that anybody took, and says that nothing tells how good it is."""
    quick |= {"split": {"name": "whole"}}
    quick["train"]["epochs"] = 3
    run = recpair.fit(quick, ["evaluate.monitor=null", f"model={model}"], data=checkerboard)
    assert len(run.recommender.train) == len(checkerboard)
    assert run.metrics["test"] == run.metrics["valid"] == {}
    assert run.per_user.is_empty()
    assert run.metrics["epochs"] == run.metrics["best_epoch"] == (3 if model == "mf" else 0)
    summary = (run.folder / "SUMMARY.md").read_text(encoding="utf-8")
    assert "no test metrics are reported" in summary
    assert "most popular" not in summary
    taken = set(checkerboard.select("user_id", "item_id").iter_rows())
    shown = run.recommend(k=3).select("user_id", "item_id").rows()
    assert shown
    assert not taken & set(shown)
    with pytest.raises(RunError, match="no test events are left to evaluate it on"):
        recpair.evaluate(run, data=checkerboard)
    with pytest.raises(RunError, match="has no test metrics, because it was trained on all events"):
        compare([run.folder, run.folder], "ndcg@5")


def test_without_a_monitor_a_fitted_model_knows_what_was_held_out_for_validation(checkerboard, quick):
    run = recpair.fit(quick, ["evaluate.monitor=null", "model=popularity"], data=checkerboard)
    assert run.metrics["valid"] == {}
    assert "without epochs" in (run.folder / "SUMMARY.md").read_text()
    train = run.recommender.train
    counts = torch.from_numpy(train.item_counts).float()
    scores = run.model.score(run.model.batch_of(torch.tensor([0]), Histories((train,)))).catalogue()[0]
    assert torch.equal(torch.argsort(scores, stable=True), torch.argsort(counts, stable=True))


def test_the_reported_test_is_that_of_the_restored_weights(checkerboard, quick):
    run = recpair.fit(quick, data=checkerboard)
    model, _ = recpair.evaluate(run, data=checkerboard)
    assert model.means == run.metrics["test"]


def test_a_run_that_is_older_than_a_key_is_evaluated_with_its_default(checkerboard, quick):
    run = recpair.fit(quick, data=checkerboard)
    path = run.folder / "config.yaml"
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    del sections["sampler"]["shared"]
    path.write_text(yaml.safe_dump(sections), encoding="utf-8")
    (run.folder / "manifest.json").unlink()  # earlier versions wrote none
    again = recpair.Run.open(run.folder)
    assert recpair.evaluate(again, data=checkerboard)[0].means == run.metrics["test"]
    with pytest.raises(ConfigError, match=r"sampler\.shared cannot change"):
        recpair.evaluate(again, ["sampler.shared=true"], data=checkerboard)


def test_clipping_bounds_the_step(checkerboard, quick):
    quick["train"] |= {"epochs": 1, "clip_norm": 1e-12, "weight_decay": 0.0}
    run = recpair.fit(quick, data=checkerboard)
    with isolated(1):
        untrained = MF(run.recommender.train, embedding_dim=8)
    moved = (run.model.user_embedding.weight - untrained.user_embedding.weight).abs().max()
    assert moved < 0.01  # without clipping one Adam step alone moves 0.05


def weights(run):
    return {name: t.clone() for name, t in run.model.state_dict().items()}


def test_the_same_seed_gives_the_same_weights_on_any_number_of_threads(checkerboard, quick):
    results, threads = [], torch.get_num_threads()
    quick["denoise"] = {"name": "pld", "start_epoch": 1}
    for n in (1, 2, 2):
        torch.set_num_threads(n)
        try:
            torch.rand(3)  # the caller's own generator must not matter
            results.append(weights(recpair.fit(quick, data=checkerboard)))
        finally:
            torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def test_fit_leaves_the_callers_generators_alone(checkerboard, quick):
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002  (the caller's legacy state)
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    recpair.fit(quick, ["train.epochs=1"], data=checkerboard)
    assert torch.equal(torch.rand(3), expected[0])
    assert (np.random.rand(3) == expected[1]).all()  # noqa: NPY002


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(checkerboard, quick, tmp_path):
    quick["denoise"] = {"name": "pld", "start_epoch": 1}
    quick["train"]["checkpoint_every"] = 2
    whole = weights(recpair.fit(quick, ["train.epochs=6"], data=checkerboard))
    halves = [f"output={tmp_path / 'halves'}"]
    recpair.fit(quick, ["train.epochs=3", *halves], data=checkerboard)
    resumed = recpair.fit(quick, ["train.epochs=6", *halves], data=checkerboard, resume=True)
    assert all(torch.equal(whole[name], tensor) for name, tensor in weights(resumed).items())
    assert resumed.history["epoch"].to_list() == sorted(resumed.history["epoch"].to_list())
    assert resumed.history["epoch"].max() == 6


@pytest.mark.slow
def test_kill_9_at_any_moment_and_resume(checkerboard, quick, tmp_path):
    """The process is killed twice, at moments that nobody chose, and ends where the undisturbed run ends."""
    quick["train"] |= {"epochs": 400, "patience": None, "checkpoint_every": 7}
    expected = weights(recpair.fit(quick, data=checkerboard))
    events, config = tmp_path / "events.parquet", tmp_path / "config.yaml"
    checkerboard.write_parquet(events)
    output = tmp_path / "killed"
    config.write_text(yaml.safe_dump(quick | {"data": {"path": str(events)}, "output": str(output)}))
    command = [sys.executable, "-m", "recpair", "fit", "--config", str(config), "--resume"]
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = (output / "checkpoint").stat().st_mtime if (output / "checkpoint").exists() else 0
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            if (output / "checkpoint" / "last.safetensors").exists() and (
                output / "checkpoint"
            ).stat().st_mtime > before:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (output / "metrics.json").exists()
    subprocess.run(command, check=True, capture_output=True)
    resumed = weights(recpair.load(output))
    assert all(torch.equal(expected[name], tensor) for name, tensor in resumed.items())


def test_resume_refuses_another_config_and_knows_a_finished_run(checkerboard, quick):
    first = recpair.fit(quick, data=checkerboard)
    again = recpair.fit(quick, data=checkerboard, resume=True)
    assert again.metrics == first.metrics
    with pytest.raises(recpair.RecpairError, match=r"train\.weight_decay is 0\.5, but .* was started with 0\.0"):
        recpair.fit(quick, ["train.weight_decay=0.5"], data=checkerboard, resume=True)


def test_a_truncated_checkpoint_is_refused(objective, tmp_path):
    checkpoint = Checkpoint(tmp_path)
    optimiser = torch.optim.AdamW(objective.parameters())
    checkpoint.save(objective, optimiser, Progress(epoch=3))
    assert checkpoint.restore(objective, optimiser).epoch == 3
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="truncated or damaged"):
        read_tensors(checkpoint.path)


def test_seeds_of_different_places_differ():
    found = {derive(seed, epoch, stream) for seed in range(4) for epoch in range(50) for stream in range(3)}
    assert len(found) == 600
    assert derive(1, 2) == derive(1, 2)
    assert all(0 <= value < 2**63 for value in found)


def test_gradients_of_a_step_are_those_of_dense_tables(objective):
    """What looked-up rows add to a table's gradient, also in the second step."""
    for _ in range(2):
        objective.zero_grad()
        user, positives, negatives, rows = arguments()
        objective(user, positives, negatives, rows, epoch=1)["loss"].backward()
    u, i = (t.detach().clone().requires_grad_() for t in objective.model.parameters())
    gaps = (u[user] * (i[positives[:, 0]] - i[negatives[:, 0]])).sum(1)
    norms = sum(v.square().sum(1).mean() for v in (u[user], i[positives[:, 0]], i[negatives[:, 0]]))
    (torch.nn.functional.softplus(-gaps).mean() + 0.5 * norms).backward()
    for found, expected in zip(objective.model.parameters(), (u, i), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


def test_held_out_losses_are_of_items_that_the_user_has_nowhere_taken(checkerboard, quick):
    """User u has taken all of its colour in training and validation, so a negative is of the other colour: a model
    that scores by colour has −log σ(2) for each held-out event."""
    train, valid = (Interactions.from_polars(checkerboard.filter(pl.col("split") == p)) for p in ("train", "valid"))
    model = MF(train, embedding_dim=2)
    colour = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(20, 1)
    signs = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(20, 1)
    model.load_state_dict({"user_embedding.weight": colour, "item_embedding.weight": signs})
    rest = checkerboard.filter(pl.col("split") != "valid")
    losses = held_out_losses(Objective(model, bpr), valid, Interactions.from_polars(rest), seed=1)
    np.testing.assert_allclose(losses, np.log1p(np.exp(-2.0)), rtol=1e-6)


def test_the_choice_of_the_epoch_leaves_the_highest_losses_out(checkerboard, quick):
    """A fifth less to find per epoch, and the same training."""
    whole, trimmed = (
        recpair.fit(quick, [f"evaluate.trim={trim}", f"output={quick['output']}-{trim}"], data=checkerboard)
        for trim in (0, 0.5)
    )
    loss, valid = (pl.col("metric") == name for name in ("train/loss", "valid/hit@5"))
    assert whole.history.filter(loss)["value"].equals(trimmed.history.filter(loss)["value"])
    gain = trimmed.history.filter(valid)["value"] - whole.history.filter(valid)["value"]
    assert gain[0] > 0
    assert (gain >= 0).all()

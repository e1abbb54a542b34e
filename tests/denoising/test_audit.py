"""The audit: its arithmetic on made-up losses, and that it finds noise that was made up, too."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import recpair
from recpair.cli import main
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.denoising.audit import audit, noise_probability
from recpair.evaluation.noise_detection import quality


@pytest.fixture
def made_up():
    """60 users with 30 events each; a user's own level hides noise from any threshold for all."""
    generator = np.random.default_rng(0)
    user, item = np.repeat(np.arange(60), 30), np.tile(np.arange(30), 60)
    train = Interactions.from_indices(user, item, vocabulary=Vocabulary.range(60, 30))
    noise = generator.random(1800) < 0.15
    level = generator.uniform(0, 3, size=60)[user]
    loss = level + generator.normal(0, 0.1, 1800) + 0.4 * noise
    frame = pl.DataFrame({"mean_loss": loss, "loss_sd": 0.1, "visits": 10.0, "chosen": 2.0, "final_loss": loss})
    return train, frame.with_columns(pl.col("loss_sd").cast(pl.Float64)), noise


def test_the_personal_score_finds_what_one_threshold_cannot(made_up):
    train, losses, noise = made_up
    found = quality(train, losses, noise)
    assert found["personal_auroc"][0] > 0.9
    assert found["mean_loss_auroc"][0] < 0.7
    assert found["events"].to_list()[1:] == [1800]  # everybody has as many events: one group


def test_rows_are_in_order_of_suspicion_and_explained(made_up):
    train, losses, _ = made_up
    frame = audit(train, losses)
    assert frame["z"].is_sorted(descending=True)
    assert frame["noise_probability"].is_sorted(descending=True)
    first = frame.row(0, named=True)
    row = int(np.flatnonzero((train.user == first["user_id"]) & (train.item == first["item_id"]))[0])
    assert first["mean_loss"] == losses["mean_loss"][row]
    own = losses["mean_loss"].to_numpy()[train.user == first["user_id"]]
    assert first["rank"] == 1 + (own > first["mean_loss"]).sum()
    assert first["chosen_share"] == pytest.approx(0.2)
    assert f"rank {first['rank']} of 30" in first["explanation"]


def test_explanations_are_those_of_a_loop(made_up):
    """Losses below 0 and thousands of visits, too."""
    train, losses, _ = made_up
    visits = pl.Series(np.random.default_rng(1).choice([0.0, 1.0, 3.0, 1234.0, 2_000_000.0], size=len(train)))
    frame = audit(train, losses.with_columns(pl.col("mean_loss") - 2, visits=visits))
    own = frame.group_by("user_id").agg(pl.col("mean_loss").sum())
    overall = frame["mean_loss"].mean()
    means = {user: (total + 5 * overall) / 35 for user, total in own.iter_rows()}
    for row in frame.iter_rows(named=True):
        loss, n, z = row["mean_loss"], row["visits"], row["z"]
        seen = f"mean loss {loss:.3f} over {n:,.0f} visit{'' if n == 1 else 's'}"
        if n == 0:
            seen = f"loss {loss:.3f} under the final model, none recorded in training"
        told = f"{seen}, {z:+.1f} spreads from this user's own mean {means[row['user_id']]:.3f}; "
        assert row["explanation"] == f"{told}rank {row['rank']} of {row['user_events']} by loss"


def test_an_event_without_a_recorded_visit_says_so(made_up):
    """Before epoch ``train.audit_from`` events are drawn, but no loss is recorded."""
    train, losses, _ = made_up
    first = pl.int_range(pl.len()) == 0
    frame = audit(train, losses.with_columns(visits=pl.when(first).then(0.0).otherwise(pl.col("visits"))))
    told = frame.filter(pl.col("visits") == 0)["explanation"]
    assert told.len() == 1
    assert told[0].startswith(f"loss {losses['mean_loss'][0]:.3f} under the final model, none recorded in training, ")
    assert frame.filter(pl.col("visits") > 0)["explanation"].str.contains("over 10 visits").all()


def test_probabilities_are_those_of_plain_em():
    generator = np.random.default_rng(0)
    z = np.concatenate([generator.normal(0, 1, 300), generator.normal(3, 1, 40)])
    upper = (z > np.quantile(z, 0.9)).astype(np.float64)
    for _ in range(500):
        share = upper.mean()
        low, high = ((1 - upper) @ z) / (1 - upper).sum(), (upper @ z) / upper.sum()
        variance = ((1 - upper) * (z - low) ** 2 + upper * (z - high) ** 2).mean()
        odds = share / (1 - share) * np.exp((high - low) * (z - (high + low) / 2) / variance)
        before, upper = upper, odds / (1 + odds)
        if np.abs(upper - before).max() < 1e-6:
            break
    np.testing.assert_allclose(noise_probability(z), upper, rtol=0, atol=1e-12)


def test_probabilities_are_about_right(made_up):
    """Of those that are called noise with a probability above one half most are, and as many as there were."""
    train, losses, noise = made_up
    frame = audit(train, losses)
    labels = {(u, i): n for u, i, n in zip(train.user, train.item, noise, strict=True)}
    called = frame.filter(pl.col("noise_probability") > 0.5)
    right = [labels[u, i] for u, i in called.select("user_id", "item_id").iter_rows()]
    assert np.mean(right) > 0.7
    assert abs(len(right) - noise.sum()) < 0.3 * noise.sum()


@given(st.lists(st.floats(-5, 5), min_size=0, max_size=40))
@example([0.0] * 8 + [1.0] * 2)  # the upper tenth is not above its own quantile
@example([0.0] * 20 + [1.0])
def test_probabilities_are_monotone(z):
    p = noise_probability(np.array(z))
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p[np.argsort(z, kind="stable")]) >= 0).all()


def test_a_run_audits_its_own_noise(checkerboard, quick, tmp_path, capsys):
    """Random items of the other colour, injected into a checkerboard, are what stands out."""
    quick |= {"noise": {"ratio": 0.2}, "sampler": {"batch_size": 64}}
    quick["train"] |= {"epochs": 12, "learning_rate": 0.02, "audit_from": 2, "l2": 0.05, "patience": None}
    run = recpair.fit(quick, data=checkerboard)
    frame = run.audit()
    assert len(frame) == len(run.recommender.train)
    found = run.audit_quality()
    assert found["personal_auroc"][0] > 0.85
    out = tmp_path / "suspicious.parquet"
    assert main(["audit", str(run.folder), "--out", str(out), "--top", "10"]) == 0
    assert pl.read_parquet(out).equals(frame.head(10))
    assert "personal" in capsys.readouterr().out
    assert (run.folder / "plots" / "audit.png").is_file()


def test_a_run_without_losses_says_so(checkerboard, quick, tmp_path):
    run = recpair.fit(quick, ["model=popularity"], data=checkerboard)
    with pytest.raises(
        recpair.RecpairError, match=r"has no audit\.parquet: its model was not trained by a loss of pairs"
    ):
        run.audit()

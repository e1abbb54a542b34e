"""Plots of a run: legends cover nothing, shares add up, and odd names and values are drawn as they are."""

import io

import numpy as np
import polars as pl
import pytest

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.run import plots

GENERATOR = np.random.default_rng(0)


def drawn(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    return figure


def history(epochs: int, names: list[str]) -> pl.DataFrame:
    rows = [(epoch, name, 1.0 - 1.0 / epoch) for epoch in range(1, epochs + 1) for name in names]
    return pl.DataFrame(rows, schema=["epoch", "metric", "value"], orient="row")


def some_figures():
    valid = [f"valid/{metric}@{k}" for metric in ("ndcg", "recall") for k in (10, 20, 50)]
    yield plots.curves(history(40, ["train/loss", "train/recommendation", "train/l2", *valid]), 38, "ndcg@10")
    yield plots.curves(history(1, ["train/loss", "train/recommendation"]), 1, None)
    yield plots.choices(GENERATOR.exponential(0.1, 4000), GENERATOR.exponential(0.4, 16000))
    columns = {"from_events": [1, 5], "to_events": [4, 90], "n_users": [50, 60], "mean": [0.4, 0.5]}
    yield plots.by_activity({"this model": pl.DataFrame(columns), "most popular": pl.DataFrame(columns)}, "recall@20")
    user, item = np.repeat(np.arange(20), 10), np.tile(np.arange(10), 20)
    train = Interactions.from_indices(user, item, vocabulary=Vocabulary.range(20, 10))
    losses = pl.DataFrame({"mean_loss": GENERATOR.exponential(size=200)})
    yield plots.audit(train, losses, GENERATOR.random(200) < 0.2)


def test_a_legend_covers_neither_curves_nor_labels():
    n_legends = 0
    for figure in some_figures():
        drawn(figure)
        for axes in figure.axes:
            assert not np.isnan(axes.get_tightbbox().width)
            if (legend := axes.get_legend()) is None:
                continue
            n_legends += 1
            box = legend.get_window_extent()
            assert not box.overlaps(axes.get_window_extent())
            assert not box.overlaps(axes.xaxis.label.get_window_extent())
            assert figure.bbox.containsx(box.x0)
            assert figure.bbox.containsx(box.x1)
            others = [other.get_legend() for other in figure.axes if other is not axes and other.get_legend()]
            assert not any(box.overlaps(other.get_window_extent()) for other in others)
    assert n_legends == 8


def test_the_monitored_metric_is_drawn_among_many():
    names = [f"valid/{metric}@{k}" for metric in ("recall", "ndcg") for k in (1, 2, 3, 5, 10, 20)]
    figure = plots.curves(history(3, ["train/loss", *names]), 3, "ndcg@10")
    assert figure.axes[1].get_legend_handles_labels()[1][0] == "ndcg@10"
    assert len(figure.axes[1].get_legend_handles_labels()[1]) == 6


@pytest.mark.parametrize(
    ("chosen", "passed"),
    [([0.0], [0.0]), ([0.0], [1.0]), ([1e4], [1e-300]), ([3.0], [3.0] * 4), ([1.0, 2.0], [0.0, 1e4, 1e-9])],
)
def test_choices_shows_shares_of_every_candidate_on_a_log_axis(chosen, passed):
    left, right = plots.choices(np.array(chosen), np.array(passed)).axes
    assert left.get_xscale() == right.get_xscale() == "log"
    assert [patch.get_data().values.sum() for patch in left.patches] == pytest.approx([100, 100])


def test_choices_shows_how_often_a_loss_is_chosen():
    """Every candidate below 0.1 nats is chosen, none above."""
    figure = plots.choices(np.linspace(0.001, 0.0999, 3000), np.linspace(0.1001, 10, 3000))
    values, edges, _ = figure.axes[1].patches[0].get_data()
    clear = (values == 0) | (values == 100) | np.isnan(values)
    assert (~clear).sum() <= 1
    assert (values[edges[1:] < 0.1] != 0).all()
    assert (values[edges[:-1] > 0.1] != 100).all()

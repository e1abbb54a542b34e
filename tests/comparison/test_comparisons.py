"""Every comparison: the contract of the registry, and one that is added from outside."""

import io

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

import recpair
from recpair.comparison import COMPARISONS, Comparison
from recpair.comparison.plots import intervals
from recpair.comparison.results import Results
from recpair.errors import RunError
from recpair.experiment.compare import comparison, draw


def results(n: int, users: int = 30) -> list[Results]:
    """Made-up results of some runs with two seeds each; the names hold what a plot could read as mathematics."""
    generator = np.random.default_rng(n)
    found = []
    for i in range(n):
        values = generator.random(users)
        frame = pl.DataFrame({"user_id": range(users), "train_events": 5, "ndcg@10": values, "hit@10": values.round()})
        seeds = pl.DataFrame({name: [frame[name].mean()] * 2 for name in ("ndcg@10", "hit@10")})
        found.append(Results(f"run_{i}$_", frame, seeds, None))
    return found


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("metric", ["ndcg@10", "hit@10"])
def test_a_comparison_is_a_table_and_a_plot(name, n, metric):
    found = COMPARISONS[name](results=results(n), metric=metric)
    assert isinstance(found, Comparison)
    assert {"run", "mean"} <= set(found.table.columns)
    assert found.table["run"].to_list() == [f"run_{i}$_" for i in range(n)]
    figure = found.plot()
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO(), format="png", dpi=50)


def test_a_comparison_from_elsewhere_is_one_function(checkerboard, quick, tmp_path, monkeypatch):
    """Share of users for whom each run is the best of all, for users with so many training events."""

    def winners(results, metric, *, least_events: int = 0) -> Comparison:
        values = np.stack([each.per_user.filter(pl.col("train_events") >= least_events)[metric] for each in results])
        table = pl.DataFrame({"run": [each.name for each in results], "mean": (values >= values.max(0)).mean(1)})
        return Comparison(table, lambda: intervals(table.with_columns(low="mean", high="mean"), metric))

    monkeypatch.setitem(COMPARISONS, "winners", winners)
    folders = [tmp_path / name for name in ("a", "b")]
    for seed, folder in enumerate(folders):
        recpair.fit(quick, [f"train.seed={seed}", "train.epochs=1", f"output={folder}"], data=checkerboard)
    found = comparison(folders, "ndcg@5", "winners", least_events=10)
    assert found.table["mean"].sum() >= 1
    draw(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_the_metric_is_named():
    with pytest.raises(RunError, match=r"run_0\$_ has no metric 'ndgc@10' per user; did you mean ndcg@10"):
        results(1)[0].require_metric("ndgc@10")


def test_a_run_name_with_dollars_is_text():
    table = pl.DataFrame({"run": ["a$_b$", "$\\frac$"], "mean": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3]})
    figure = intervals(table, "ndcg@10")
    figure.savefig(io.BytesIO(), format="png", dpi=50)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a$_b$", "$\\frac$"]

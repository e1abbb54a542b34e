"""Fingerprints: everything that training or a test reads changes them, and nothing else does."""

import json

import numpy as np
import polars as pl
import pytest

import recpair
from recpair.data.fingerprint import data_fingerprint, same_kind
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Ids, Vocabulary
from recpair.errors import RunError
from recpair.experiment.evaluate import evaluate
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare


@pytest.fixture
def frame():
    """Ten users with six events each, at distinct times, of twelve items."""
    generator = np.random.default_rng(0)
    items = np.concatenate([generator.choice(12, 6, replace=False) for _ in range(10)])
    split = ["train", "train", "train", "train", "valid", "test"] * 10
    user, time = np.repeat(np.arange(10), 6), generator.permutation(60)
    rating = generator.integers(1, 6, 60).astype(np.float32)
    return pl.DataFrame({"user_id": user, "item_id": items, "rating": rating, "timestamp": time, "split": split})


def prints(frame, *overrides):
    sections = {"split": {"name": "predefined"}, "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"}}
    splits = prepare(load_config(sections, overrides), frame)
    return splits.fingerprint, splits.test_fingerprint


def first(column, value):
    """Another value in a column's first row, which is a training event."""
    here = pl.int_range(pl.len()) == 0
    return lambda frame: frame.with_columns(pl.when(here).then(pl.lit(value)).otherwise(column).alias(column))


def exchanged(one, other):
    return lambda frame: frame.with_columns(pl.col("split").replace({one: other, other: one}))


@pytest.mark.parametrize(
    ("change", "data", "test"),
    [
        (lambda frame: frame.sample(fraction=1.0, shuffle=True, seed=3), False, False),
        (lambda frame: frame.with_columns(pl.col("user_id").cast(pl.String)), False, False),
        (first("rating", 0.5), True, False),
        (first("timestamp", 1000), True, False),
        (lambda frame: frame.drop("rating"), True, False),
        (lambda frame: frame.drop("timestamp"), True, False),
        (first("split", "valid"), True, False),
        (first("split", "test"), True, True),
        (exchanged("train", "test"), True, True),
        (exchanged("valid", "test"), True, True),
        (exchanged("train", "valid"), True, False),
        (lambda frame: frame.with_columns(pl.col("item_id") + 1), True, True),
        (lambda frame: frame.with_columns(pl.col("user_id") + 1), True, True),
        (lambda frame: frame.with_columns(pl.format("a{}", "item_id").alias("item_id")), True, True),
        (lambda frame: frame[1:], True, True),
    ],
)
def test_what_a_fingerprint_follows(frame, change, data, test):
    before, after = prints(frame), prints(change(frame))
    assert (before[0] != after[0], before[1] != after[1]) == (data, test)


@pytest.mark.parametrize(
    ("override", "data", "test"),
    [
        ("split.seed=7", False, False),  # the file has all three parts
        ("train.seed=7", False, False),
        ("evaluate.mask_seen=false", False, False),
        ("evaluate.monitor=null", True, False),  # validation events train
        ("noise.ratio=0.3", True, False),
        ("split={name: ratio}", True, True),
        ("split={name: leave_last}", True, True),
        ("filter.min_rating=2", True, True),
    ],
)
def test_which_options_a_fingerprint_follows(frame, override, data, test):
    before, after = prints(frame), prints(frame, override)
    assert (before[0] != after[0], before[1] != after[1]) == (data, test)


@pytest.mark.parametrize("other", ["seed: 1", "fractions: [0.4, 0.2, 0.4]", "by: all", "order: time"])
def test_another_draw_of_a_ratio_is_another_split(frame, other):
    both = [prints(frame, f"split={{name: ratio, {options}}}") for options in ("seed: 42", other)]
    assert both[0][0] != both[1][0]
    assert both[0] == prints(frame, "split={name: ratio}")


def test_noise_of_another_seed_is_other_data(frame):
    seeds = [prints(frame, f"noise={{ratio: 0.5, seed: {seed}}}")[0] for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_the_border_between_two_ids_counts():
    def of(*users):
        ids = Ids("user", pl.Series("user_id", users)), Ids("item", pl.Series("item_id", [1]))
        pair = np.array([0, 1]), np.array([0, 0])
        return data_fingerprint([Interactions.from_indices(*pair, vocabulary=Vocabulary(*ids))])

    assert len({of("ab", "c"), of("a", "bc"), of("", "abc"), of("1", "2"), of(1, 2)}) == 5


def test_a_run_is_evaluated_on_its_own_split_only(checkerboard, quick, caplog):
    run = recpair.fit(quick, data=checkerboard)
    assert evaluate(run, data=checkerboard)[0].means == run.metrics["test"]
    for change in (exchanged("train", "test"), exchanged("valid", "test")):
        with pytest.raises(RunError, match=r"or its split, differs from that of"):
            evaluate(run, data=change(checkerboard))
    run.metrics["data"]["fingerprint"] = "0123456789abcdef"
    assert not same_kind(
        "0123456789abcdef", json.loads((run.folder / "metrics.json").read_text())["data"]["fingerprint"]
    )
    with caplog.at_level("INFO", "recpair"):
        assert evaluate(run, data=checkerboard)[0].means == run.metrics["test"]
    assert "is a run of an earlier version of recpair; its data cannot be checked for changes" in caplog.text

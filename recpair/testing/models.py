"""Contract test of models."""

import tempfile
from typing import Any

import numpy as np
import polars as pl
import torch

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.models import FittedModel, GradientModel, HistoryModel, Model, Scorer
from recpair.seeds import isolated
from recpair.testing.world import require_options

SIZE = 40  # users and items of the checkerboard
SOLVED = 0.95


def checkerboard() -> pl.DataFrame:
    """Return events of 40 users and 40 items: user u has interacted with every item i with u + i even.

    For each user, one of these items is held out for the test and one for validation. Popularity contains no information.
    """
    user, item = np.nonzero(np.add.outer(np.arange(SIZE), np.arange(SIZE)) % 2 == 0)
    split = np.where(item == user, "test", np.where(item == (user + 2) % SIZE, "valid", "train"))
    time = np.datetime64("2024-01-01", "us") + np.arange(len(user)).astype("timedelta64[h]")
    return pl.DataFrame({"user_id": user, "item_id": item, "timestamp": time, "split": split})


def check_model(model: type[Model], *, solve: bool = True, train: dict[str, Any] | None = None, **options: Any) -> None:
    """Check a model on the checkerboard.

    - It is derived from either ``GradientModel`` or ``FittedModel``.
    - The Scorer gives the same scores for some items and for all, with finite values.
    - The state dict holds everything that is learnt: a new model that loads it has the same scores.
    - ``fold_in`` scores unknown users, given by their items.
    - Trained from a config, saved and loaded, it ranks the test item first for 95% of the users, unless it reads
      histories.

    Args:
        model: the class.
        solve: whether to train it.
        train: config section train, by default 60 epochs at learning rate 0.02.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name, events = model.__name__, checkerboard()
    kinds = issubclass(model, GradientModel), issubclass(model, FittedModel)
    assert sum(kinds) == 1, f"{name} must be derived from GradientModel or FittedModel"
    require_options(model, name)
    data = Interactions.from_polars(events.filter(events["split"] == "train"))
    made, other = (_made(model, data, seed, options) for seed in (0, 1))
    if isinstance(made, FittedModel):
        made.fit(data)
    batch = made.batch_of(torch.tensor([3, 0, 39]), Histories((data,)))
    scorer = made.score(batch)
    assert isinstance(scorer, Scorer), f"{name}.score returns {type(scorer).__name__}, which is not a Scorer"
    catalogue = scorer.catalogue()
    assert catalogue.shape == (3, SIZE), f"{name} scores {tuple(catalogue.shape)} for 3 queries and {SIZE} items"
    assert torch.isfinite(catalogue).all(), f"scores of {name} are not finite"
    items = torch.tensor([[1, 5], [0, 0], [39, 2]])
    close = torch.allclose(scorer.of(items), catalogue.gather(1, items), rtol=1e-4, atol=1e-5)
    assert close, f"the Scorer of {name} differs between of() and catalogue()"
    other.load_state_dict(made.state_dict())
    same = torch.equal(other.score(batch).catalogue(), catalogue)
    assert same, f"{name} has learnt values outside its state dict"
    folded = made.fold_in([np.array([0, 2, 4]), np.array([1])]).catalogue()
    assert folded.shape == (2, SIZE), f"{name}.fold_in scores {tuple(folded.shape)} for 2 users"
    assert torch.isfinite(folded).all(), f"scores of {name}.fold_in are not finite"
    if solve and not issubclass(model, HistoryModel):
        _solve(model, name, events, train or {"epochs": 60, "learning_rate": 0.02}, options)


def _made(model: type[Model], data: Interactions, seed: int, options: dict[str, Any]) -> Model:
    with isolated(seed):
        return model(data, **options).eval()


def _solve(model: type[Model], name: str, events: pl.DataFrame, train: dict[str, Any], options: dict[str, Any]) -> None:
    from recpair.experiment.fit import fit
    from recpair.experiment.load import load

    with tempfile.TemporaryDirectory() as folder:
        config = {
            "split": "predefined",
            "sampler": {"batch_size": 256},
            "train": {"seed": 1, **train},
            "evaluate": {"metrics": ["hit"], "cutoffs": [1], "monitor": "hit@1"},
            "tracking": None,
            "output": f"{folder}/run",
        }
        run = fit(config, model={"name": model, **options}, data=events)
        hits = run.metrics["test"]["hit@1"]
        assert hits >= SOLVED, f"{name} ranks the test item first for {hits:.0%} of the users, expected {SOLVED:.0%}"
        again = load(run.folder).recommend(k=5)
        assert again.equals(run.recommend(k=5)), f"{name} recommends other items after it is loaded"

"""Contract test of metrics."""

from collections.abc import Callable
from typing import Any

import numpy as np

from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.data.vocabulary import Vocabulary
from recpair.evaluation.measure import Measure
from recpair.evaluation.supplies import Context, Lists
from recpair.testing.world import require_options

N_ITEMS, CUTOFF = 9, 3


def check_metric(metric: Callable[..., Any], **options: Any) -> None:
    """Check a metric on random lists of recommendations.

    - Parameters before ``*`` are in the legend of metrics; the return annotation is ``Float[np.ndarray, "B"]`` (one value
      per list) or ``float`` (one value over all lists).
    - Values are finite float64, also if lists are short or empty, or longer than the catalogue.
    - With a cut-off K, places after the K-th have no effect.

    Args:
        metric: the function.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name = getattr(metric, "__name__", str(metric))
    measure = Measure.of(name, metric, **options)
    require_options(metric, name)
    for seed in range(20):
        for k in (1, CUTOFF, N_ITEMS + 4):
            value = measure.compute(random_lists(seed, 5, k, gains=seed % 2 == 1), k)
            if measure.per_list:
                assert isinstance(value, np.ndarray), f"{name} returns {type(value).__name__}, expected an array"
                assert value.shape == (5,), f"{name} returns shape {value.shape} for 5 lists, expected (5,)"
                assert value.dtype == np.float64, f"{name} returns {value.dtype}, expected float64"
            else:
                assert isinstance(value, float), f"{name} returns {type(value).__name__}, expected float"
            assert np.isfinite(value).all(), f"{name} is not finite"
        if measure.per_list and measure.has_cutoff:
            long = random_lists(seed, 5, 8)
            short = Lists(long.items[:, :CUTOFF].copy(), long.relevant, None, long.full_ideal, long.context)
            same = np.array_equal(measure.compute(long, CUTOFF), measure.compute(short, CUTOFF))
            assert same, f"{name}@{CUTOFF} depends on places after the {CUTOFF}rd"


def random_lists(seed: int, n_lists: int, k: int, *, full: bool = False, gains: bool = False) -> Lists:
    """Return random lists of distinct items, padded with -1, with held-out items and all values of the legend.

    Args:
        full: whether ideal lists may be longer than k.
        gains: whether held-out items have graded gains.
    """
    generator = np.random.default_rng(seed)
    items = np.full((n_lists, k), -1, dtype=np.int32)
    for row in items:
        n = generator.integers(0, min(k, N_ITEMS) + 1)
        row[:n] = generator.permutation(N_ITEMS)[:n]
    relevant = [np.sort(generator.permutation(N_ITEMS)[: generator.integers(1, N_ITEMS + 1)]) for _ in range(n_lists)]
    train = of_lists([generator.integers(0, N_ITEMS, generator.integers(1, 6)) for _ in range(n_lists)])
    lists = ItemLists.of_lists(relevant)
    context = Context(train, of_lists(relevant), None)  # type: ignore[arg-type]
    context.item_vectors = generator.normal(size=(N_ITEMS, 3)).astype(np.float32)
    context.text_vectors = context.item_vectors / np.linalg.norm(context.item_vectors, axis=1, keepdims=True)
    context._pairs = (generator.normal(size=20).astype(np.float32), np.arange(20) < 7)
    values = generator.integers(0, 6, len(lists.items)).astype(np.float64) if gains else None
    return Lists(items, lists, values, full, context)


def of_lists(lists: list[np.ndarray]) -> Interactions:
    """Return interactions with the items of each user."""
    user = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    item = np.array([i for items in lists for i in items], dtype=np.int64)
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(len(lists), N_ITEMS))

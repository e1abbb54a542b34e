"""Random positives added to the training part, to measure what denoising is worth."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits


def add_noise(
    splits: Splits,
    *,
    ratio: Annotated[float, Field(gt=0, le=10)],
    seed: Annotated[int, Field(ge=0)] = 42,
    exclude_held_out: bool = True,
) -> Splits:
    """The splits with ⌊ratio · n⌋ random items added to each user's n training events, and which they are.

    Source: the protocol of PLD (WWW 2025). Deviation: an injected item is by default none of the user's
    held-out positives either; ``exclude_held_out=False`` reproduces the authors' code. A user who
    has taken nearly all items gets as many as are left. An injected event has the time of one of the
    user's own, drawn at random, no rating (NaN), and the weight 1.
    """
    train = splits.train
    parts = [train, splits.valid, splits.test] if exclude_held_out else [train]
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0x401CE]))
    users, items, like = [], [], []
    for taker in range(train.n_users):
        own = train.indptr[taker], train.indptr[taker + 1]
        wanted = int(np.floor(ratio * (own[1] - own[0]) + 1e-9))
        if wanted == 0:
            continue
        drawn = _strangers(generator, np.concatenate([p.items_of(taker) for p in parts]), wanted, train.n_items)
        users.append(np.full(len(drawn), taker))
        items.append(drawn)
        like.append(generator.integers(*own, size=len(drawn)))
    if not users:
        return replace(splits, noise=np.zeros(len(train), dtype=bool))
    user, item, source = np.concatenate(users), np.concatenate(items), np.concatenate(like)
    all_users = np.concatenate([train.user, user])
    time = None if train.time is None else np.concatenate([train.time, train.time[source]])
    rating = None if train.rating is None else np.concatenate([train.rating, np.full(len(item), np.nan)])
    weight = None if train.weight is None else np.concatenate([train.weight, np.ones(len(item))])
    noisy = Interactions.from_indices(
        all_users, np.concatenate([train.item, item]), time, rating, weight, vocabulary=train.vocabulary
    )
    injected = np.repeat([False, True], [len(train), len(item)])[Interactions.order(all_users, time)]
    return replace(splits, train=noisy, noise=injected, report=splits.report | {"noise_events": len(item)})


def _strangers(generator: np.random.Generator, taken: np.ndarray, wanted: int, n_items: int) -> np.ndarray:
    """Up to ``wanted`` distinct items, uniform among those that are not taken."""
    if 2 * (len(taken) + wanted) > n_items:
        left = np.setdiff1d(np.arange(n_items), taken)
        return generator.permutation(left)[:wanted]
    known = set(taken.tolist())
    drawn: list[int] = []
    while len(drawn) < wanted:
        for item in generator.integers(n_items, size=2 * wanted).tolist():
            if item not in known and len(drawn) < wanted:
                known.add(item)
                drawn.append(item)
    return np.array(drawn)

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
    valid: bool = False,
) -> Splits:
    """The splits with ⌊ratio · n⌋ random items added to each user's n training events, and which they are.

    With ``valid`` the validation part gets its share, too, as data that nobody has cleaned would have it (rounded
    up or down at random, as users have few events there); the test part never does.

    Source: the protocol of PLD (WWW 2025). Deviation: an injected item is by default none of the user's
    held-out positives either; ``exclude_held_out=False`` reproduces the authors' code. A user who
    has taken nearly all items gets as many as are left. An injected event has the time of one of the
    user's own, drawn at random, no rating (NaN), and the weight 1.
    """
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0x401CE]))
    held_out = [splits.valid, splits.test] if exclude_held_out else []
    train, injected = _noisy(splits.train, ratio * np.diff(splits.train.indptr) + 1e-9, generator, held_out)
    report = splits.report | {"noise_events": int(injected.sum())}
    noisy = replace(splits, train=train, noise=injected, report=report)
    if not valid:
        return noisy
    wanted = ratio * np.diff(splits.valid.indptr)
    wanted += generator.random(len(wanted)) * (wanted > 0)
    return replace(noisy, valid=_noisy(splits.valid, wanted, generator, [train, splits.test])[0])


def _noisy(
    part: Interactions, wanted: np.ndarray, generator: np.random.Generator, others: list[Interactions]
) -> tuple[Interactions, np.ndarray]:
    """The part with ⌊wanted⌋ (U,) random items more of each user, and for each of its events whether it was injected."""
    users, items, like = [], [], []
    for taker in np.flatnonzero(wanted >= 1):
        own = part.indptr[taker], part.indptr[taker + 1]
        taken = np.concatenate([p.items_of(int(taker)) for p in (part, *others)])
        drawn = _strangers(generator, taken, int(wanted[taker]), part.n_items)
        users.append(np.full(len(drawn), taker))
        items.append(drawn)
        like.append(generator.integers(*own, size=len(drawn)))
    if not users:
        return part, np.zeros(len(part), dtype=bool)
    user, item, source = np.concatenate(users), np.concatenate(items), np.concatenate(like)
    all_users = np.concatenate([part.user, user])
    time = None if part.time is None else np.concatenate([part.time, part.time[source]])
    rating = None if part.rating is None else np.concatenate([part.rating, np.full(len(item), np.nan)])
    weight = None if part.weight is None else np.concatenate([part.weight, np.ones(len(item))])
    noisy = Interactions.from_indices(
        all_users, np.concatenate([part.item, item]), time, rating, weight, vocabulary=part.vocabulary
    )
    return noisy, np.repeat([False, True], [len(part), len(item)])[Interactions.order(all_users, time)]


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

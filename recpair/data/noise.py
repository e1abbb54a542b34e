"""Injection of random positives into the training part, to evaluate denoising."""

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
    """Add ⌊ratio · n⌋ random items to each user's n training events, and mark them in ``noise``.

    With ``valid``, noise is also added to the validation part, as in uncleaned data (rounded up or down at
    random, as users have few events there), but never to the test part.

    Source: the protocol of PLD (WWW 2025). Deviation: injected items also exclude the user's held-out
    positives by default; ``exclude_held_out=False`` reproduces the authors' code. Users who interacted
    with nearly all items get only the unseen ones. An injected event has the time of a random event of
    the user, no rating (NaN), and the weight 1.
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
    """Return the part with ⌊wanted⌋ (U,) random items added to each user, and the mask of injected events."""
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
    columns = all_users, np.concatenate([part.item, item]), time, rating, weight
    noisy = Interactions.from_indices(*columns, vocabulary=part.vocabulary, clock=part.clock)
    return noisy, np.repeat([False, True], [len(part), len(item)])[Interactions.order(all_users, time)]


def _strangers(generator: np.random.Generator, taken: np.ndarray, wanted: int, n_items: int) -> np.ndarray:
    """Draw up to ``wanted`` distinct items, uniformly from the unseen ones."""
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

"""A generated web shop: 60,000 purchases of about 4,000 users among 900 items."""

import numpy as np
import polars as pl

N_USERS, N_ITEMS, N_EVENTS = 4_000, 900, 60_000
N_CATEGORIES, N_STYLES = 30, 6
YEAR = 365 * 86_400


def shop(seed: int = 42) -> pl.DataFrame:
    """Events with user_id, item_id and timestamp (seconds).

    User u buys item i with probability proportional to popularity(i) · taste(u, category of i) · style(u, style of i).
    Popularity is a Zipf law with exponent 0.8 over a random order of the items, tastes are Dirichlet(0.1) over
    categories and Dirichlet(0.5) over styles, 15 % of the purchases follow popularity alone (gifts, misclicks). The
    number of purchases of a user is log-normal with at least 3. No user buys an item twice. Times are uniform within a
    period of the user's own that lies within one year.
    """
    generator = np.random.default_rng(seed)
    popularity = 1.0 / (1.0 + generator.permutation(N_ITEMS)) ** 0.8
    popularity /= popularity.sum()
    category = generator.integers(N_CATEGORIES, size=N_ITEMS)
    style = generator.integers(N_STYLES, size=N_ITEMS)
    activity = 3 + generator.lognormal(2.0, 0.9, size=N_USERS)
    counts = np.minimum(np.round(activity * N_EVENTS / activity.sum()).astype(int).clip(3), N_ITEMS // 3)
    surplus = int(counts.sum()) - N_EVENTS  # rounding; taken from the most active users
    counts[np.argsort(-counts, kind="stable")[: abs(surplus)]] -= np.sign(surplus)

    users, items, times = [], [], []
    for user, count in enumerate(counts):
        taste = generator.dirichlet(np.full(N_CATEGORIES, 0.1))[category]
        taste = popularity * taste * generator.dirichlet(np.full(N_STYLES, 0.5))[style]
        weights = 0.85 * taste / taste.sum() + 0.15 * popularity
        begin, end = np.sort(generator.integers(YEAR, size=2))
        users.append(np.full(count, user))
        items.append(generator.choice(N_ITEMS, size=count, replace=False, p=weights / weights.sum()))
        times.append(1_700_000_000 + np.sort(generator.integers(begin, end + 1, size=count)))
    columns = {"user_id": users, "item_id": items, "timestamp": times}
    return pl.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})

"""A generated web shop with titles, to try recpair without a download; it is not a benchmark."""

from functools import cache
from typing import Any

import numpy as np
import polars as pl

SEED = 42
N_USERS = 1_200
DEPARTMENTS = {
    "clothing": ("shirt", "trousers", "jacket", "scarf"),
    "kitchen": ("pan", "kettle", "knife", "bowl"),
    "garden": ("spade", "planter", "hose", "lantern"),
    "office": ("notebook", "pen", "lamp", "chair"),
    "sport": ("ball", "mat", "bottle", "backpack"),
    "home": ("cushion", "blanket", "rug", "clock"),
}
CATEGORIES = [(department, noun) for department, nouns in DEPARTMENTS.items() for noun in nouns]
COLOURS = ("red", "blue", "green", "black", "white", "grey", "yellow", "brown", "purple", "orange")
FINISHES = ("plain", "striped", "light", "heavy", "small", "large", "classic", "modern")
BRANDS = ("Aldera", "Bentwick", "Corvale", "Dunmere", "Elstow", "Farrowby")
PER_CATEGORY = 25
START, PERIOD = 1_672_531_200, 2 * 365 * 86_400  # 2023-01-01, two years, in seconds
FOLLOWS, RANDOM = 0.3, 0.1  # shares of purchases that follow the one before, and that follow popularity alone


@cache
def shop() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the events (user_id, item_id, timestamp) and the items (item_id, title, categories, brand, price).

    24 categories in six departments have 25 items each. Popularity is a Zipf law with exponent 0.4. A user prefers two
    departments, two colours and one brand, and buys at least five items, none twice, in visits over two years. A share
    of the purchases is of the category that follows that of the purchase before in its department, another share
    follows popularity alone. All draws are uniform numbers of one PCG64 generator, so that they are the same in all
    versions of numpy.
    """
    generator = np.random.default_rng(SEED)
    items = _items(generator)
    names = np.array([noun for _, noun in CATEGORIES])
    category = np.repeat(np.arange(len(names)), PER_CATEGORY)
    colour, brand = (items[column].to_physical().to_numpy() for column in ("colour", "brand"))
    popularity = (1.0 + _permutation(generator, len(category))) ** -0.4
    department = np.repeat(np.arange(len(DEPARTMENTS)), len(names) // len(DEPARTMENTS))
    successor = np.roll(np.arange(len(names)).reshape(len(DEPARTMENTS), -1), -1, axis=1).ravel()
    users, bought, times = [], [], []
    for user in range(N_USERS):
        likes = np.full(len(DEPARTMENTS), 0.03)
        likes[_permutation(generator, len(DEPARTMENTS))[:2]] = (0.6, 0.3)
        style = np.ones(len(COLOURS))
        style[_permutation(generator, len(COLOURS))[:2]] = 6.0
        own = style[colour] * np.where(brand == int(generator.random() * len(BRANDS)), 3.0, 1.0) * popularity
        chosen = _purchases(generator, own, popularity, likes[department[category]], category, successor)
        users += [user + 1] * len(chosen)
        bought += chosen
        times += _times(generator, len(chosen))
    events = pl.DataFrame({"user_id": users, "item_id": np.array(bought) + 1, "timestamp": times})
    return events, items.drop("colour").with_columns(pl.col("brand").cast(pl.String))


def _permutation(generator: np.random.Generator, size: int) -> np.ndarray:
    return np.argsort(generator.random(size), kind="stable")


def _items(generator: np.random.Generator) -> pl.DataFrame:
    """The item table with the columns colour and brand as categories of their own order."""
    rows: list[tuple[object, ...]] = []
    for department, noun in CATEGORIES:
        for kind in _permutation(generator, len(COLOURS) * len(FINISHES))[:PER_CATEGORY]:
            finish, colour = FINISHES[kind // len(COLOURS)], COLOURS[kind % len(COLOURS)]
            brand = BRANDS[int(generator.random() * len(BRANDS))]
            price = 5 + round(90 * float(generator.random()) ** 2, 2)
            rows.append((len(rows) + 1, f"{finish} {colour} {noun}", [department, noun], brand, price, colour))
    schema: dict[str, Any] = {
        "item_id": pl.Int64,
        "title": pl.String,
        "categories": pl.List(pl.String),
        "brand": pl.Enum(BRANDS),
    }
    return pl.DataFrame(rows, schema | {"price": pl.Float64, "colour": pl.Enum(COLOURS)}, orient="row")


def _purchases(
    generator: np.random.Generator,
    own: np.ndarray,
    popularity: np.ndarray,
    likes: np.ndarray,
    category: np.ndarray,
    successor: np.ndarray,
) -> list[int]:
    """Draw the items of a user in order, none twice; 5 and a geometric number, about 35 on average."""
    count = min(150, 5 + int(-35 * np.log(1 - generator.random())))
    left, chosen = np.ones(len(own)), list[int]()
    for kind in generator.random(count):
        if chosen and kind < FOLLOWS:
            weights = own * (category == successor[category[chosen[-1]]])
        else:
            weights = popularity if kind > 1 - RANDOM else own * likes
        total = np.cumsum(weights * left)
        if total[-1] > 0:
            chosen.append(int(np.searchsorted(total, generator.random() * total[-1], side="right")))
            left[chosen[-1]] = 0
    return chosen


def _times(generator: np.random.Generator, count: int) -> list[int]:
    """Draw ascending times in seconds: visits with two purchases on average, minutes apart, from a random first day."""
    begin = generator.random() * 0.8 * PERIOD
    new_visit = generator.random(count) < 0.5
    gaps = np.where(
        new_visit, -np.log(1 - generator.random(count)) * (PERIOD - begin) / count, 60 + 600 * generator.random(count)
    )
    times = begin + np.cumsum(gaps)
    scale = min(1.0, (PERIOD - begin) / (times[-1] - begin + 1))
    return [START + int(begin + (time - begin) * scale) for time in times]

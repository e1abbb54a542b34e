"""A data set of plain succession, for models that read histories."""

import polars as pl
import pytest

CYCLE = 30  # items; n + 1 follows n


@pytest.fixture
def succession():
    """Item n + 1 (mod 30) follows item n: 60 users with walks of 4 to 9 steps, from everywhere."""
    walks = [[(7 * user + step) % CYCLE for step in range(4 + user % 6)] for user in range(60)]
    rows = [(user, item, step) for user, walk in enumerate(walks) for step, item in enumerate(walk)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")

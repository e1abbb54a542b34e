"""Most-popular baseline of the latest days."""

from typing import Annotated

import numpy as np
from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.models.popularity import Popularity


class PopularRecent(Popularity):
    """score(u, i) = number of training users who interacted with item i in the latest days, the same for all users.

    An event counts if its time is later than that of the last training event minus ``days``. Under a split in time, no
    event after the cut is used: a floor for models that know the present.

    Raises:
        ConfigError: the events have no times.
        DataError: the unit of the times is unknown.
    """

    needs_times = True

    def __init__(self, interactions: Interactions, *, days: Annotated[float, Field(gt=0)] = 30.0) -> None:
        super().__init__(interactions)
        self.days = days

    def fit(self, interactions: Interactions) -> None:
        assert interactions.time is not None, "the composition root requires times"
        window = self.days * interactions.clock.per_day("model.days")
        age = interactions.time.max() - interactions.time.astype(np.float64)
        super().fit(interactions.select(age < window))

"""Shape annotations are checked while the tests run; small data sets that every area uses."""

import json
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

CHECKED = ["recpair.batch", "recpair.losses", "recpair.models", "recpair.denoising", "recpair.training.objective"]
HOOK = jaxtyping.install_import_hook(CHECKED, "beartype.beartype")

from recpair.data.interactions import Interactions  # noqa: E402  (after the hook)
from recpair.data.vocabulary import Vocabulary  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden():
    """Numbers that the authors' published code gave."""
    return lambda name: json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.fixture
def checkerboard():
    """Users take items of their own colour; each user's held-out item is the one left on the diagonal.

    40 users × 40 items: user u takes every item i with (u + i) even, but for i = u. Whoever has
    understood the pattern ranks the held-out item u first among the items that u has not taken.
    """
    user, item = np.nonzero((np.add.outer(np.arange(40), np.arange(40)) % 2 == 0) & ~np.eye(40, dtype=bool))
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(40, 40))

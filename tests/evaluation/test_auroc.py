"""AUROC against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from recpair.evaluation.auroc import separation


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=50))
def test_scikit_learn_agrees_on_auroc(pairs):
    score, noise = (np.array(column) for column in zip(*pairs, strict=True))
    found = separation(score, noise)
    if 0 < noise.sum() < len(noise):
        assert found.auroc == pytest.approx(roc_auc_score(noise, score))
    else:
        assert np.isnan(found.auroc)

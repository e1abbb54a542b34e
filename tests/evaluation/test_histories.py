"""What a sequence model is shown when it is measured and when it serves: all that came before, and nothing after."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import recpair
from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluator
from recpair.models.contract import SequenceModel
from recpair.serving.recommend import Recommender

N = 12


class Successor(SequenceModel):
    """Knows that n + 1 follows n, and looks at the last item only."""

    history_length = 4

    def __init__(self):
        super().__init__()
        self.items = nn.Parameter(torch.eye(N))

    def encode(self, history):
        return self.items[(history + 1) % N] * (history >= 0).unsqueeze(-1)

    def item_vectors(self):
        return self.items


def part(pairs):
    user, item = np.array(pairs).T
    return Interactions.from_indices(user, item, vocabulary=Vocabulary.range(3, N))


TRAIN = part([(u, 3 * u + step) for u in range(3) for step in range(2)])
VALID = part([(u, 3 * u + 2) for u in range(3)])
TEST = part([(u, 3 * u + 3) for u in range(3)])


@pytest.mark.parametrize("mask_seen", [True, False])
def test_validation_follows_training_and_the_test_follows_validation(mask_seen):
    options = {"metrics": ["hit"], "cutoffs": [1], "mask_seen": mask_seen}
    assert Evaluator(TRAIN, VALID, **options).evaluate(Successor()).means == {"hit@1": 1.0}
    assert Evaluator(TRAIN, TEST, (VALID,), **options).evaluate(Successor()).means == {"hit@1": 1.0}
    assert Evaluator(TRAIN, TEST, **options).evaluate(Successor()).means == {"hit@1": 0.0}


def test_serving_reads_the_training_histories_and_those_of_strangers():
    recommender = Recommender(Successor(), part([(i // 4, i) for i in range(N)]))
    assert recommender.recommend(k=1)["item_id"].to_list() == [4, 8, 0]
    assert recommender.recommend(histories=[[0, 7], [2, 3, 4, 5, 6, 11]], k=1)["item_id"].to_list() == [8, 0]
    assert recommender.score([2, 0], [0, 8])["score"].to_list() == [1.0, 0.0]
    assert len(recommender.similar_items([3], k=2)) == 2


def refused(overrides, data=None):
    frame = pl.DataFrame({"user_id": [0, 0, 0, 1, 1, 1], "item_id": [0, 1, 2, 1, 2, 0]}) if data is None else data
    with pytest.raises(ConfigError) as reason:
        recpair.fit({"tracking": None, "evaluate": {"cutoffs": [1], "monitor": "ndcg@1"}}, overrides, data=frame)
    return str(reason.value)


def test_a_model_and_a_sampler_that_do_not_fit_are_refused():
    assert (
        refused(["model=sasrec"])
        == "sampler.name is pairs, but model sasrec needs sequences; set sampler.name=sequences"
    )
    assert "but model mf needs pairs; set sampler.name=pairs" in refused(["model=mf", "sampler=sequences"])


def test_histories_need_times(tmp_path):
    told = refused(["model=gru4rec", "sampler=sequences", f"output={tmp_path / 'run'}"])
    assert "model.name: gru4rec needs a time column, and the data has none; map it with data.columns.time" in told

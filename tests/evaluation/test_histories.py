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
from recpair.run.recommend import Recommender

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


@pytest.mark.parametrize("mask_seen", [True, False])
def test_what_a_user_did_after_the_test_is_not_read(mask_seen):
    """User u's test item 3u + 3 follows 3u + 2, the validation event; of training, 3u is earlier and 3u + 1 is later."""
    vocabulary = Vocabulary.range(3, N)
    user = np.arange(3)
    train = Interactions.from_indices(
        np.tile(user, 2), np.append(3 * user, 3 * user + 1), np.repeat([1, 9], 3), vocabulary=vocabulary
    )
    valid = Interactions.from_indices(user, 3 * user + 2, np.full(3, 2), vocabulary=vocabulary)
    test = Interactions.from_indices(user, 3 * user + 3, np.full(3, 3), vocabulary=vocabulary)
    options = {"metrics": ["hit", "pooled_auc"], "cutoffs": [1], "mask_seen": mask_seen}
    found = Evaluator(train, test, (valid,), **options).evaluate(Successor()).means
    assert found["hit@1"] == 1
    assert found["pooled_auc"] > 0.9


@pytest.mark.parametrize("split", ["ratio", "predefined", "leave_last", "temporal"])
def test_a_sequence_model_trains_under_every_split(split, tmp_path):
    """The first two of each user's eight events are validation and test in the file: most of the rest is later."""
    generator = np.random.default_rng(0)
    items = np.concatenate([generator.choice(20, 8, replace=False) for _ in range(30)])
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(30), 8),
            "item_id": items,
            "timestamp": np.tile(np.arange(8), 30),
            "split": ["test", "valid", *["train"] * 6] * 30,
        }
    )
    sections = {
        "split": {"name": split},
        "model": {"name": "sasrec", "embedding_dim": 8, "history_length": 5},
        "sampler": "sequences",
        "train": {"epochs": 1, "device": "cpu"},
        "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"},
        "tracking": None,
        "output": str(tmp_path / "run"),
    }
    recpair.fit(sections, data=frame)
    summary = (tmp_path / "run" / "SUMMARY.md").read_text()
    told = "180 later events of the same users are not read in the validation, 210 are not read in the test" in summary
    assert told == (split == "predefined")
    assert ("a history ends at its user's first held-out event" in summary) == (split in ("ratio", "predefined"))


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
        refused(["model=sasrec", "sampler=pairs"])
        == "sampler.name is pairs, but model sasrec needs sequences; set sampler.name=sequences"
    )
    assert "but model mf needs pairs; set sampler.name=pairs" in refused(["model=mf", "sampler=sequences"])


def test_histories_need_times(tmp_path):
    told = refused(["model=gru4rec", "sampler=sequences", f"output={tmp_path / 'run'}"])
    assert "model.name: gru4rec needs a time column, and the data has none; map it with data.columns.time" in told

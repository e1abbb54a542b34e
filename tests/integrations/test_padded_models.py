"""The padded twins of the sequence models encode any histories as the models do."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.histories import PADDING, padded
from recpair.data.interactions import Interactions
from recpair.integrations.embeddings import Trained
from recpair.integrations.onnx.build import graph_of
from recpair.integrations.onnx.padded import PaddedGRU4Rec, PaddedSASRec
from recpair.models import MODELS
from recpair.testing.models import checkerboard

T, ITEMS = 5, 40
OPTIONS = {
    "pre": ("sasrec", {}),
    "post, relu, one layer": ("sasrec", {"norm": "post", "activation": "relu", "n_layers": 1}),
    "ligr": ("sasrec", {"block": "ligr", "n_layers": 3}),
    "text": ("sasrec", {"text": "add"}),
    "gru": ("gru4rec", {"hidden_dim": 6, "n_layers": 2}),
}


def made(name, options):
    """A model with large random weights, so that its scores are far from 0."""
    supplied = ()
    if options.get("text"):
        supplied = (np.random.default_rng(0).normal(size=(ITEMS, 3)).astype(np.float32),)
    model = MODELS[name](
        Interactions.from_polars(checkerboard()), *supplied, history_length=T, embedding_dim=8, **options
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return model.eval()


MADE = {label: made(*options) for label, options in OPTIONS.items()}
HISTORIES = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=2 * T), min_size=1, max_size=6)


@pytest.mark.parametrize("label", OPTIONS)
@given(HISTORIES)
@settings(max_examples=40)
@torch.no_grad()
def test_a_twin_encodes_as_its_model(label, lists):
    model = MADE[label]
    twin = (PaddedSASRec if OPTIONS[label][0] == "sasrec" else PaddedGRU4Rec)(model, model.item_vectors())
    own = model.encode_last(torch.from_numpy(padded([np.array(items, dtype=np.int64) for items in lists], T)))
    width = max(map(len, lists))
    whole = torch.full((len(lists), width), PADDING)
    for row, items in enumerate(lists):
        whole[row, width - len(items) :] = torch.tensor(items, dtype=torch.int64)
    torch.testing.assert_close(twin(whole), own, rtol=1e-5, atol=1e-5)


def test_a_twin_shares_the_weights_of_its_model():
    twin = PaddedSASRec(MADE["ligr"], MADE["ligr"].item_vectors())
    own = {id(parameter) for parameter in MADE["ligr"].parameters()}
    assert {id(parameter) for parameter in twin.parameters()} <= own


@pytest.mark.parametrize("label", ["text", "gru"])
def test_a_model_of_double_precision_is_exported_in_single(label):
    model, train = copy.deepcopy(MADE[label]).double(), Interactions.from_polars(checkerboard())
    graph = graph_of(model, label, train, Trained.of(train))
    assert {tensor.dtype for tensor in graph.state_dict().values()} == {torch.float32}
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float64}
    _, scores = graph(torch.tensor([[3, 1, 4]]), torch.tensor(5), torch.tensor(False))
    own = model.fold_in([np.array([3, 1, 4])]).catalogue().topk(5)[0]
    torch.testing.assert_close(scores.double(), own, rtol=1e-5, atol=1e-5)

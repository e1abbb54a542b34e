"""Warm start: weights of an earlier run, aligned by external ids."""

import numpy as np
import pytest
import torch

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.integrations.all_models import construct
from recpair.models import MODELS, GradientModel
from recpair.models.text_projection import TextProjection
from recpair.seeds import isolated
from recpair.training.warm_start import Alignment, warm_start

EARLIER, NOW = (9, 8), (11, 8)  # users, items; as many items as before, but others


def events(n_users, n_items):
    generator = np.random.default_rng(0)
    user, item = generator.integers(n_users, size=60), generator.integers(n_items, size=60)
    return Interactions.from_indices(user, item, np.arange(60), vocabulary=Vocabulary.range(n_users, n_items))


def made(name, sizes, seed, **options):
    with isolated(seed):
        model = MODELS[name](events(*sizes), embedding_dim=4, **options)
        model.start(events(*sizes))
    return model


@pytest.fixture
def ids():
    users = np.array([3, -1, 0, 1, 2, 4, 5, 6, 7, 8, -1])
    items = np.array([7, 0, 1, -1, 2, 3, 4, 5])
    return Alignment(users, items, *EARLIER)


@pytest.mark.parametrize("name", ["mf", "neumf", "lightgcn", "sasrec", "gru4rec"])
def test_rows_of_known_ids_are_copied_and_other_parameters_too(name, ids):
    before, model = made(name, EARLIER, 1), made(name, NOW, 2)
    done = warm_start(model, before.state_dict(), ids)
    assert done.left == []
    theirs = dict(before.named_parameters())
    tables = 0
    for key, parameter in model.named_parameters():
        rows = {len(parameter): None} | {NOW[0]: ids.users} if "user" in key else {NOW[1]: ids.items}
        if key not in done.tables:
            assert torch.equal(parameter, theirs[key]), key
            continue
        tables += 1
        for row, place in enumerate(rows[len(parameter)]):
            assert place < 0 or torch.equal(parameter[row], theirs[key][place]), (key, row)
    assert tables == {"mf": 2, "lightgcn": 2, "neumf": 4, "sasrec": 1, "gru4rec": 1}[name]


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if issubclass(model, GradientModel)])
def test_every_model_is_copied_for_the_same_ids(name):
    with isolated(1):
        before = construct({"name": name}, events(*EARLIER))
    with isolated(2):
        model = construct({"name": name}, events(*EARLIER))
    done = warm_start(model, before.state_dict(), Alignment(np.arange(9), np.arange(8), *EARLIER))
    assert done.left == []
    assert all(torch.equal(tensor, before.state_dict()[key]) for key, tensor in model.state_dict().items())


def test_new_rows_are_rotated_like_the_known_ones():
    """If training has only rotated the known rows, the new rows of the initialisation are rotated in the same way."""
    ids = Alignment(np.array([*range(8), -1, -1]), np.arange(8), 8, 8)
    model = made("mf", (10, 8), 1, init="spectral")
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0]
    initial = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    before = {"user_embedding.weight": initial["user_embedding.weight"][:8] @ rotation}
    before["item_embedding.weight"] = initial["item_embedding.weight"] @ rotation
    warm_start(model, before, ids)
    torch.testing.assert_close(model.user_embedding.weight, initial["user_embedding.weight"] @ rotation)
    torch.testing.assert_close(model.item_embedding.weight, before["item_embedding.weight"])


def test_other_shapes_keep_their_initialisation(ids):
    with isolated(1):
        before = MODELS["mf"](events(*EARLIER), embedding_dim=6)
    model = made("mf", NOW, 2)
    initial = model.item_embedding.weight.detach().clone()
    assert set(warm_start(model, before.state_dict(), ids).left) == {"user_embedding.weight", "item_embedding.weight"}
    assert torch.equal(model.item_embedding.weight, initial)


def test_a_table_with_padding_is_copied_only_for_the_same_ids(ids):
    class Padded(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.inner_item = torch.nn.Parameter(torch.rand(n + 1, 3, generator=torch.Generator().manual_seed(n)))

    before, model = Padded(8), Padded(8)
    with torch.no_grad():
        before.inner_item += 1
    assert warm_start(model, before.state_dict(), ids).left == ["inner_item"]
    same = Alignment(np.arange(9), np.arange(8), *EARLIER)
    assert warm_start(model, before.state_dict(), same).copied == ["inner_item"]
    assert torch.equal(model.inner_item, before.inner_item)


@pytest.mark.parametrize(("length", "left"), [(8, []), (2, ["text.weight"])])
def test_the_projection_of_texts_is_copied_if_the_text_vectors_are_the_same(length, left):
    """Principal directions of other texts are other coordinates."""

    class WithText(torch.nn.Module):
        def __init__(self, texts, seed):
            super().__init__()
            with isolated(seed):
                self.text = TextProjection(len(texts), texts, length, 4, 0.1)

    texts = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    ids = Alignment(np.arange(3), np.array([0, 1, 2, 3, 4, 5, 6, 7, -1]), 3, 8)
    before, model = WithText(texts, 1), WithText(np.vstack([texts, 5 * texts[:1]]), 2)
    assert warm_start(model, before.state_dict(), ids).left == left
    assert torch.equal(model.text.weight, before.text.weight) == (not left)

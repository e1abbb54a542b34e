"""Runs draw from their own generators: neither other runs in the process nor the caller's random numbers matter."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
import torch

import recpair
from recpair.models.dropout import bernoulli_dropout
from recpair.models.layers import GRU, Embedding, Linear
from recpair.seeds import generator, isolated, process_wide, restart

SEQUENCES = {"name": "sequences", "batch_size": 32}
SASREC = {"model": {"name": "sasrec", "embedding_dim": 8, "inner_dim": 16}, "sampler": SEQUENCES}
CONFIGS = {
    "mf": {
        "model": {"name": "mf", "embedding_dim": 8, "init": "spectral"},
        "denoise": {"name": "pld", "start_epoch": 0},
        "hard_negatives": {"name": "dns", "temperature": 1.0, "share": 0.5},
    },
    "double": {"model": {"name": "mf", "embedding_dim": 8}, "train": {"precision": 64}},
    "lightgcn": {"model": {"name": "lightgcn", "embedding_dim": 8}},
    "neumf": {"model": {"name": "neumf", "embedding_dim": 8, "layers": [16, 8], "dropout": 0.3}},
    "ials": {"model": {"name": "ials", "embedding_dim": 8, "iterations": 2}},
    "gru4rec": {"model": {"name": "gru4rec", "embedding_dim": 8, "hidden_dim": 8}, "sampler": SEQUENCES},
    "sasrec": SASREC | {"contrast": ["cl4srec", "coserec", "duorec", {"name": "iclrec", "intents": 4}]},
    "semantic": SASREC | {"contrast": ["sra_cl_cross", "sra_cl_intra", "cwcl"]},
}
EPOCHS = {"ials": {}}


@pytest.fixture
def events():
    generator = np.random.default_rng(0)
    rows = [(u, int(i), t) for u in range(20) for t, i in enumerate(generator.choice(30, 8, replace=False))]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


@pytest.fixture
def train(events, tmp_path):
    """A function that fits one of the configs and gives the weights as bytes."""
    vectors = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32).tolist()
    pl.DataFrame({"item_id": list(range(30)), "vector": vectors}).write_parquet(tmp_path / "vectors.parquet")
    semantics = {"name": "file", "path": str(tmp_path / "vectors.parquet"), "k": 3, "folder": str(tmp_path / "kept")}

    def run(name, folder):
        config = CONFIGS[name] | {
            "train": {"device": "cpu"}
            | EPOCHS.get(name, {"epochs": 2, "audit_from": 1})
            | CONFIGS[name].get("train", {}),
            "evaluate": {"cutoffs": [5], "monitor": "ndcg@5"},
            "tracking": None,
            "output": str(tmp_path / folder / name),
        }
        if name == "semantic":
            config["semantics"] = semantics
        state = recpair.fit(config, data=events).model.state_dict()
        return {key: tensor.numpy().tobytes() for key, tensor in state.items()}

    return run


def test_fits_in_threads_give_what_they_give_alone(train):
    torch.manual_seed(7)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002  (the caller's)
    alone = [train(name, "alone") for name in CONFIGS]
    torch.rand(5)
    torch.manual_seed(7)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda name: train(name, "threads"), CONFIGS))
    assert together == alone
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


def test_a_runs_generator_has_the_stream_of_the_seed():
    torch.manual_seed(3)
    first, second = torch.rand(5), torch.randn(5)
    with isolated(3):
        assert torch.equal(torch.rand(5, generator=generator()), first)
        with isolated(4):
            torch.rand(2, generator=generator())
        assert torch.equal(torch.randn(5, generator=generator()), second)
        restart(3)
        assert torch.equal(torch.rand(5, generator=generator()), first)
    assert generator() is None


def test_code_that_draws_process_wide_is_seeded_and_undone():
    torch.manual_seed(3)
    before, first = torch.get_rng_state(), torch.rand(2)
    torch.set_rng_state(before)
    with isolated(5), process_wide(3):
        assert generator() is None
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("ours", "theirs", "sizes"),
    [(Embedding, torch.nn.Embedding, (5, 4)), (Linear, torch.nn.Linear, (5, 4)), (GRU, torch.nn.GRU, (5, 4, 2))],
)
def test_layers_start_as_torchs_do(ours, theirs, sizes):
    torch.manual_seed(3)
    expected = theirs(*sizes)
    with isolated(3):
        found = ours(*sizes)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), expected.parameters(), strict=True))


def test_dropout_by_bernoulli_is_torchs():
    x = torch.linspace(-1, 1, 91).view(7, 13).requires_grad_()
    torch.manual_seed(3)
    expected = torch.nn.functional.dropout(x, 0.3)
    with isolated(3):
        found = bernoulli_dropout(x, 0.3, True)
    assert torch.equal(found, expected)
    assert torch.equal(*(torch.autograd.grad(y.sum(), x)[0] for y in (found, expected)))
    assert bernoulli_dropout(x, 0.3, False) is x

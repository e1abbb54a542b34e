"""Models whose weights do not depend on the number of threads, byte for byte: all but EASE and SASRec."""

import numba
import numpy as np
import polars as pl
import pytest
import torch
from threadpoolctl import threadpool_limits

import recpair
from recpair.models import MODELS, FittedModel
from recpair.models.blas import gram

SEQUENCES = {"name": "sequences", "batch_size": 64}
CONFIGS = {
    "mf": {"model": {"name": "mf", "init": "spectral"}, "loss": "sampled_softmax", "sampler": {"n_negatives": 64}},
    "lightgcn": {"model": "lightgcn"},
    "neumf": {"model": {"name": "neumf", "dropout": 0.2}},
    "ials": {"model": {"name": "ials", "iterations": 2}},
    "item_knn": {"model": "item_knn"},
    "gf_cf": {"model": {"name": "gf_cf", "k": 32}},
    "bspm": {"model": {"name": "bspm", "k": 32}},
    "rp3beta": {"model": "rp3beta"},
    "sansa": {"model": {"name": "sansa"}},
    "slim": {"model": "slim"},
    "gru4rec": {"model": {"name": "gru4rec"}, "sampler": SEQUENCES},
}


@pytest.fixture(scope="module")
def events():
    generator = np.random.default_rng(0)
    rows = [(u, int(i), t) for u in range(300) for t, i in enumerate(generator.choice(200, 20, replace=False))]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_weights_are_the_same_on_one_thread_and_on_two(name, events, tmp_path):
    found, threads, kernels = [], torch.get_num_threads(), numba.get_num_threads()
    for n in (1, 2):
        torch.set_num_threads(n)
        numba.set_num_threads(min(n, kernels))
        try:
            with threadpool_limits(n, user_api="blas"):
                fitted = issubclass(MODELS[name], FittedModel)
                train = {"device": "cpu"} | ({} if fitted else {"epochs": 1})
                config = CONFIGS[name] | {"train": train, "tracking": None}
                run = recpair.fit(config | {"output": str(tmp_path / f"{name}-{n}")}, data=events)
        finally:
            torch.set_num_threads(threads)
            numba.set_num_threads(kernels)
        found.append({key: tensor.numpy().tobytes() for key, tensor in run.model.state_dict().items()})
    assert found[0] == found[1]


def test_a_gram_matrix_is_the_same_on_any_number_of_threads():
    matrix = np.random.default_rng(0).normal(size=(5000, 64)).astype(np.float32)
    found = []
    for n in (1, 2, 4):
        with threadpool_limits(n, user_api="blas"):
            found.append(gram(matrix).tobytes())
    assert len(set(found)) == 1
    np.testing.assert_allclose(gram(matrix), matrix.astype(np.float64).T @ matrix, rtol=1e-3, atol=0.1)

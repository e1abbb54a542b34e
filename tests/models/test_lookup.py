"""Looked-up rows, products with them and their norms: against torch, gradients too, and on any number of threads."""

import hashlib
import subprocess
import sys

import numba
import pytest
import torch

from recpair.models import kernels
from recpair.models.lookup import InnerProducts, inner_products, look_up, mean_squared_norm

ROUNDING = """
import hashlib, numpy as np
from recpair.models import kernels
generator = np.random.default_rng(0)
queries, table = (generator.standard_normal((n, 50), dtype=np.float32) for n in (300, 200))
out = np.empty((300, 4), np.float32)
kernels.inner_products(queries, table, generator.integers(0, 200, (300, 4)), out)
print(hashlib.sha256(out.tobytes()).hexdigest())
"""


@pytest.fixture
def arguments():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(6, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    table = torch.randn(7, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    return queries, table, torch.randint(7, (6, 9), generator=generator)  # every item is looked up several times


def test_products_are_those_of_the_looked_up_vectors(arguments):
    queries, table, items = arguments
    expected = torch.einsum("qd,qcd->qc", queries, table[items])
    torch.testing.assert_close(inner_products(queries, table, items), expected)
    with torch.no_grad():
        torch.testing.assert_close(inner_products(queries, table, items[:, :1]), expected[:, :1])


@pytest.mark.parametrize("doubled", [False, True])  # a table that is no parameter hands its gradient on
def test_gradients_of_a_table_are_those_of_plain_indexing(arguments, doubled):
    """Everything at once, twice: what two uses and two backward passes add to one gradient."""

    def everything(rows_of, products, norm, queries, table):
        table = table * 2 if doubled else table
        return (
            rows_of(table, items).sin().sum() + products(queries, table, items).cos().sum() + 3 * norm(table, items[:2])
        )

    items = arguments[2]
    found, expected = ([t.detach().clone().requires_grad_() for t in arguments[:2]] for _ in range(2))
    for _ in range(2):
        everything(look_up, inner_products, mean_squared_norm, *found).backward()
        everything(
            lambda table, rows: table[rows],
            lambda queries, table, rows: torch.einsum("qd,qcd->qc", queries, table[rows]),
            lambda table, rows: table[rows].square().sum(-1).mean(),
            *expected,
        ).backward()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_gradients_agree_with_differences(arguments):
    queries, table, items = arguments
    assert torch.autograd.gradcheck(lambda q, t: InnerProducts.apply(q, t * 1, items), (queries, table))
    assert torch.autograd.gradcheck(lambda t: mean_squared_norm(t * 1, items), (table,))


def test_the_norm_is_the_mean_over_rows_of_any_strides(arguments):
    _, table, items = arguments
    wanted = table[items].square().sum(-1).mean()
    torch.testing.assert_close(mean_squared_norm(table, items), wanted)
    torch.testing.assert_close(mean_squared_norm(table, items.T), wanted)
    torch.testing.assert_close(mean_squared_norm(table.bfloat16(), items).double(), wanted, rtol=0.02, atol=0)


def test_threads_do_not_change_a_bit(arguments, monkeypatch):
    monkeypatch.setattr(kernels, "WORTH_THREADS", 1)
    queries, table, items = (t.float() if t.is_floating_point() else t for t in arguments)
    results = []
    for n in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(n)
        leaves = queries.detach().requires_grad_(), table.detach().requires_grad_()
        torch.sin(InnerProducts.apply(*leaves, items)).sum().backward()
        results.append([leaf.grad for leaf in leaves])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_compiled_and_cached_code_round_alike(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compiled, cached = (
        subprocess.run([sys.executable, "-c", ROUNDING], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert len(compiled.strip()) == 2 * hashlib.sha256().digest_size
    assert compiled == cached

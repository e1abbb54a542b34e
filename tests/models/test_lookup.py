"""Products with looked-up rows: the kernel against torch, its gradients, and any number of threads."""

import numba
import pytest
import torch

from recpair.models import kernels
from recpair.models.lookup import InnerProducts, inner_products


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


def test_gradients_agree_with_differences(arguments):
    queries, table, items = arguments
    assert torch.autograd.gradcheck(lambda q, t: InnerProducts.apply(q, t, items), (queries, table))


def test_few_and_many_lookups_have_the_same_gradient(arguments):
    """One column is below half the table's rows and goes through torch; the kernel is asked directly."""
    queries, table, items = (arguments[0], arguments[1], arguments[2][:2, :1])
    weights = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
    found = torch.autograd.grad((inner_products(queries[:2], table, items) * weights).sum(), (queries, table))
    expected = torch.autograd.grad((InnerProducts.apply(queries[:2], table, items) * weights).sum(), (queries, table))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.to_dense(), other)


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

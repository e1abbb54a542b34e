"""The log-partition against torch's own, whole and in tiles, with exponentials kept or computed again."""

import pytest
import torch

from recpair.models import partition
from recpair.models.partition import log_partition
from recpair.models.scorer import Vectors


@pytest.fixture(params=[(256, 2048), (3, 4)], ids=["one tile", "tiles"])
def vectors(request, monkeypatch):
    monkeypatch.setattr(partition, "QUERIES", request.param[0])
    monkeypatch.setattr(partition, "ITEMS", request.param[1])
    generator = torch.Generator().manual_seed(0)
    draw = lambda rows: torch.randn(rows, 5, generator=generator, dtype=torch.float64, requires_grad=True)  # noqa: E731
    return draw(8), draw(11)


@pytest.mark.parametrize("kept_bytes", [0, 2**20])
def test_it_is_the_logsumexp_of_all_scores_with_its_gradient(vectors, kept_bytes):
    queries, items = vectors
    weights = torch.arange(8.0, dtype=torch.float64)  # not every query counts the same, one not at all
    found = log_partition(queries, items, kept_bytes).squeeze(1)
    expected = torch.logsumexp(queries @ items.T, 1)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad((weights * value).sum(), vectors) for value in (found, expected)]
    torch.testing.assert_close(*gradients)
    assert torch.autograd.gradcheck(lambda q, i: log_partition(q, i, kept_bytes), vectors)


def test_scores_in_the_thousands_stay_finite(vectors):
    queries, items = vectors
    value = log_partition(1e3 * queries, items)
    value.sum().backward()
    torch.testing.assert_close(value.squeeze(1), torch.logsumexp(1e3 * queries @ items.T, 1))
    assert torch.isfinite(queries.grad).all()
    assert torch.isfinite(items.grad).all()


def test_no_queries_and_mixed_precision():
    items = torch.randn(6, 4)
    assert log_partition(torch.empty(0, 4), items).shape == (0, 1)
    queries = torch.randn(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = Vectors(queries.bfloat16(), items).log_partition()
    torch.testing.assert_close(found, torch.logsumexp(queries.bfloat16().float() @ items.T, 1, keepdim=True))

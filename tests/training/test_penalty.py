"""The L2 penalty."""

import pytest
import torch

from recpair.training.penalty import mean_squared_norm


@pytest.mark.parametrize("shape", [(5, 1, 3), (4, 3, 2)])
def test_it_is_the_mean_of_squared_norms_and_so_is_its_gradient(shape):
    embeddings = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wanted = embeddings.square().sum(-1).mean()
    torch.testing.assert_close(mean_squared_norm(embeddings), wanted)
    torch.testing.assert_close(*(torch.autograd.grad(f, embeddings) for f in (mean_squared_norm(embeddings), wanted)))
    assert torch.autograd.gradcheck(mean_squared_norm, (embeddings,))
    assert mean_squared_norm(embeddings.transpose(0, 1)).item() == pytest.approx(wanted.item())  # of any strides

"""Stacks of small matrices: what is kept of them, and what becomes of the rest."""

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.hessians import diagonal_share
from direction_finder.stacks import energies, even, grams_by_channel, shares, thin


def symmetric(*shape: int, seed: int = 0) -> torch.Tensor:
    matrices = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return matrices + matrices.mT


def test_each_channel_has_its_own_gram():
    jacobian = torch.randn(4, 3 * 2 * 2, generator=torch.Generator().manual_seed(0))
    grams = grams_by_channel(jacobian, torch.Size([3, 2, 2]))
    assert grams.shape == (3, 4, 4)
    torch.testing.assert_close(grams[1], jacobian[:, 4:8] @ jacobian[:, 4:8].mT)
    torch.testing.assert_close(grams.sum(0), jacobian @ jacobian.mT)
    torch.testing.assert_close(grams_by_channel(jacobian, torch.Size([12]))[0], jacobian @ jacobian.mT)


def test_all_that_a_basis_can_gain_is_kept_at_full_rank():
    """The diagonal energy along any basis is the same after the stack is made thin."""
    stack = symmetric(200, 5, 5)
    basis = torch.linalg.qr(symmetric(5, 5, seed=1))[0]
    small = thin(stack, 15)  # symmetric 5 x 5 matrices have 15 dimensions
    diagonal = lambda each: (basis @ each @ basis.mT).diagonal(dim1=1, dim2=2).square().sum(0)  # noqa: E731
    torch.testing.assert_close(diagonal(small), diagonal(stack))
    torch.testing.assert_close(small, small.mT)


def test_a_lower_rank_keeps_the_strongest_and_fills_up_with_nothing():
    stack = symmetric(200, 5, 5) * torch.linspace(1, 0.01, 200).double()[:, None, None] ** 8
    kept = [float(thin(stack, rank).square().sum() / stack.square().sum()) for rank in (2, 5, 15)]
    assert kept == sorted(kept) and kept[0] > 2 / 15 and kept[-1] == pytest.approx(1)
    assert not thin(symmetric(3, 4, 4), 10)[3:].any()


def test_channels_of_large_derivatives_count_more_but_less_than_they_would():
    matrices = torch.stack([torch.eye(3), 100 * torch.eye(3), torch.zeros(3, 3)])
    weighted = even(matrices)
    assert weighted.norm() == pytest.approx(1)
    assert weighted[1].norm() / weighted[0].norm() == pytest.approx(10)
    assert not weighted[2].any()
    with pytest.raises(InputError, match="no channel changes"):
        even(torch.zeros(2, 3, 3))


def test_stacks_of_one_matrix_have_its_shares():
    matrices = symmetric(7, 5, 5)
    basis = torch.linalg.qr(symmetric(5, 5, seed=1))[0]
    torch.testing.assert_close(shares(matrices[:, None], basis), diagonal_share(matrices, basis))
    torch.testing.assert_close(energies(matrices[:, None], basis).sum(), diagonal_share(matrices, basis).mean())

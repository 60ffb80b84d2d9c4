import pytest
import torch

from direction_finder.diagonalisation import SOLVERS, _rounds, jacobi, solve, unit_norm
from direction_finder.errors import InputError
from direction_finder.hessians import diagonal_share
from tests.planted import worst_match


def planted_matrices(
    n: int, count: int, noise: float, seed: int, signed: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric matrices diagonal in one basis, and noise of a share of each one's norm."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=rng))[0].mT
    values = torch.randn(count, n, dtype=torch.float64, generator=rng) * torch.linspace(1.5, 0.5, n)
    matrices = torch.einsum("mi,ij,ik->mjk", values if signed else values.abs(), basis, basis)
    error = torch.randn(count, n, n, dtype=torch.float64, generator=rng)
    error = error + error.mT
    scale = matrices.norm(dim=(1, 2)) / error.norm(dim=(1, 2))
    return matrices + noise * scale[:, None, None] * error, basis


@pytest.mark.parametrize("n", [8, 32])
@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.999), (0.1, 0.98)])
def test_joint_diagonalisation_finds_the_planted_basis(n, noise, least):
    matrices, basis = planted_matrices(n, 60, noise, seed=n)
    found = solve("joint", matrices)
    assert worst_match(found, basis) >= least
    assert torch.allclose(found @ found.mT, torch.eye(n, dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_eigenvectors_find_it_where_the_mean_separates(solver):
    matrices, basis = planted_matrices(8, 400, 0.0, seed=1, signed=False)
    assert worst_match(solve(solver, matrices, weight="raw"), basis) >= 0.999


@pytest.mark.parametrize("n", [2, 5, 8])
def test_jacobi_never_loses_and_reaches_a_stationary_point(n):
    matrices, _ = planted_matrices(n, 20, 0.8, seed=3)
    shares = [
        float(diagonal_share(matrices, jacobi(matrices, sweeps=sweeps, tolerance=0.0)).mean()) for sweeps in (1, 3, 100)
    ]
    raw = [
        float(
            (jacobi(matrices, sweeps=s, tolerance=0.0) @ matrices @ jacobi(matrices, sweeps=s, tolerance=0.0).mT)
            .diagonal(dim1=1, dim2=2)
            .square()
            .sum()
        )
        for s in (1, 3, 100)
    ]
    assert raw[0] <= raw[1] + 1e-9 <= raw[2] + 2e-9
    assert shares[2] > float(diagonal_share(matrices, torch.eye(n, dtype=torch.float64)).mean())
    basis = jacobi(matrices, tolerance=0.0)
    for i in range(n):
        for j in range(i):
            for angle in (-1e-3, 1e-3):  # any small rotation in any plane makes it worse
                turned = basis.clone()
                c, s = torch.tensor(angle).cos(), torch.tensor(angle).sin()
                turned[i], turned[j] = c * basis[i] + s * basis[j], c * basis[j] - s * basis[i]
                energy = (turned @ matrices @ turned.mT).diagonal(dim1=1, dim2=2).square().sum()
                assert energy < raw[2] + 1e-9


def test_the_order_is_by_diagonal_energy():
    matrices, _ = planted_matrices(8, 100, 0.0, seed=2)
    found = solve("joint", matrices, weight="raw")
    energy = (found @ matrices @ found.mT).diagonal(dim1=1, dim2=2).square().mean(0)
    assert torch.equal(energy, energy.sort(descending=True).values)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_a_sweep_meets_every_pair_once(n):
    pairs = [
        tuple(sorted(pair))
        for first, second in _rounds(n)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    ]
    assert sorted(pairs) == [(a, b) for a in range(n) for b in range(a + 1, n)]
    for first, second in _rounds(n):
        assert len(set(first.tolist() + second.tolist())) == 2 * len(first)


def test_unit_weight_ignores_loudness():
    matrices, _ = planted_matrices(6, 10, 0.3, seed=4)
    louder = matrices * torch.linspace(1, 100, 10, dtype=torch.float64)[:, None, None]
    assert worst_match(solve("joint", matrices), solve("joint", louder)) > 0.9999
    assert worst_match(solve("joint", matrices), solve("joint", louder, weight="raw")) < 0.9999
    with pytest.raises(InputError, match="mean, squares, subspace, joint"):
        solve("pca", matrices)


def test_subspace_rotates_the_strongest_fifth_only():
    matrices, _ = planted_matrices(20, 60, 0.3, seed=2)
    squares, turned = solve("squares", matrices), solve("subspace", matrices)
    assert torch.equal(turned[4:], squares[4:])
    assert torch.allclose(turned[:4].mT @ turned[:4], squares[:4].mT @ squares[:4], atol=1e-9)
    assert diagonal_share(matrices, turned).mean() > diagonal_share(matrices, squares).mean()


def test_points_where_nothing_changes_are_left_out():
    matrices, _ = planted_matrices(4, 5, 0.1, seed=0)
    with_dead = torch.cat([matrices, torch.zeros(2, 4, 4).double()])
    assert unit_norm(with_dead)[5:].abs().sum() == 0
    torch.testing.assert_close(solve("joint", with_dead), solve("joint", matrices))


def test_no_change_at_any_point_gets_one_line():
    with pytest.raises(InputError, match="no direction changes anything at any point"):
        solve("joint", torch.zeros(3, 4, 4))
